/*
 * layers_attention.h: attention over lanes, for the family whose file includes it after
 * layers_each.h. It has also defined ROWS, the queries whose sums fit in the registers beside 2
 * registers each.
 *
 * Both products, queries times keys and probabilities times values, are one kernel: up to ROWS rows
 * of a left side, one float of each spread over a register, times two registers of a right side
 * whose columns are the lanes. So the right sides are packed in the scratch, zeros beyond them:
 *   keys      [ceil(n_tokens / LANES)][head_size][LANES]   transposed: a column is a token
 *   values    [ceil(head_size / LANES)][n_tokens][LANES]
 * and then come ROWS queries, scaled, and ROWS rows of scores. The scores of so few queries stay in
 * the caches whatever the length of the text, so partial sums need not be rescaled as a flash
 * attention does (Dao and others, 2022).
 *
 * A family that multiplies pairs of bfloat16 (HAS_DOT2: add_dot2, rounded_rows, rounded_lanes) has
 * all a second time, with two terms of a sum side by side in each lane, in half the steps:
 *   keys      [ceil(n_tokens / LANES)][ceil(head_size / 2)][LANES]
 *   values    [ceil(head_size / LANES)][ceil(n_tokens / 2)][LANES]
 * and queries and probabilities, which are rounded as well.
 *
 * Each sum is added up in one lane, in the order of its terms: which queries are worked on together
 * leaves no trace. The kernel's fused products run at 2 a cycle once ROWS * 2 sums hide their
 * latency.
 */
#ifndef LOCAL_SIMD_LAYERS_ATTENTION_H
#define LOCAL_SIMD_LAYERS_ATTENTION_H

#include "local/simd/layers_each.h"

#define LARGEST_SCORE 1e38f
#define LINE_FLOATS 16 /* of a line of the caches */
#define LOG2_E 1.4426950408889634

struct attention_block {
    int in_pairs;
    size_t token_panels, head_panels; /* registers that columns of keys, of values, fill */
    size_t token_terms, head_terms;   /* of a sum over tokens, over a head */
    float *keys, *values, *queries, *scores;
};

EACH size_t panels_of(size_t n)
{
    return (n + LANES - 1) / LANES;
}

TARGET size_t FAMILY(attention_scratch)(size_t n_tokens, size_t head_size)
{
    size_t tokens = panels_of(n_tokens) * LANES, head = panels_of(head_size) * LANES;
    return tokens * head_size + n_tokens * head + ROWS * head + ROWS * tokens;
}

/* ---- packing --------------------------------------------------------------------------------- */

/* Rows of a head lie far from each other: those of the next one are there when they are wanted. */
EACH void fetch_next_head(const struct local_attention *a, const float *row)
{
    for (size_t i = 0; i < a->head_size; i += LINE_FLOATS)
        __builtin_prefetch(row + a->head_size + i, 0, 2);
}

/* Columns 0 .. n - 1 (n <= LANES) of LANES rows, of which there are n_rows, into a panel: a column
 * becomes LANES floats, `step` after those of the one before. */
EACH void pack_square(const float *rows, size_t stride, size_t n_rows, size_t n, float *panel,
                      size_t step)
{
    lanes square[LANES];
    if (n_rows >= LANES && n == LANES) {
        load_columns(square, rows, stride);
    } else {
        UNROLLED
        for (size_t r = 0; r < LANES; r++)
            square[r] = r >= n_rows  ? all(0.0f)
                        : n == LANES ? load(rows + r * stride)
                                     : load_first(rows + r * stride, n);
        transpose(square);
    }
    if (n == LANES) {
        UNROLLED
        for (size_t i = 0; i < LANES; i++) store(panel + i * step, square[i]);
    } else {
        UNROLLED
        for (size_t i = 0; i < LANES; i++)
            if (i < n) store(panel + i * step, square[i]);
    }
}

/* LANES rows at a time, while the next are on their way: the lines of a group lie one behind the
 * other. A number that is not finite is found as its product with zero is NaN. */
TARGET int FAMILY(pack)(const float *weights, size_t n_in, size_t width, float *panel)
{
    lanes zero = all(0.0f), zeros[2] = {zero, zero};
    for (size_t c = 0; c < width; c += LANES, weights += LANES * n_in) {
        const char *ahead = (const char *)(weights + LANES * n_in);
        size_t i = 0, row = 0;
        for (; i + LANES <= n_in; i += LANES) {
            for (size_t line = 0; line < LANES * LANES * sizeof(float); line += 64, ahead += 64)
                __builtin_prefetch(ahead);
            pack_square(weights + i, n_in, LANES, LANES, panel + i * width + c, width);
            for (; row < i + LANES; row += 2) {
                zeros[0] = fused(load(panel + row * width + c), zero, zeros[0]);
                zeros[1] = fused(load(panel + (row + 1) * width + c), zero, zeros[1]);
            }
        }
        if (i < n_in) pack_square(weights + i, n_in, LANES, n_in - i, panel + i * width + c, width);
        for (; row < n_in; row++) zeros[0] = fused(load(panel + row * width + c), zero, zeros[0]);
    }
    return sum_lanes(zeros[0] + zeros[1]) == 0.0f;
}

TARGET static void pack_keys(const struct local_attention *a, float *panel)
{
    for (size_t t = 0; t < a->n_tokens; t += LANES) {
        const float *rows = a->keys + t * a->stride;
        size_t n_rows = a->n_tokens - t, i = 0;
        for (size_t r = 0; r < LANES && r < n_rows; r++) fetch_next_head(a, rows + r * a->stride);
        for (; i + LANES <= a->head_size; i += LANES, panel += LANES * LANES) {
            if (n_rows >= LANES) pack_square(rows + i, a->stride, LANES, LANES, panel, LANES);
            else pack_square(rows + i, a->stride, n_rows, LANES, panel, LANES);
        }
        if (i < a->head_size) {
            pack_square(rows + i, a->stride, n_rows, a->head_size - i, panel, LANES);
            panel += (a->head_size - i) * LANES;
        }
    }
}

TARGET static void pack_values(const struct local_attention *a, float *packed)
{
    size_t panel = a->n_tokens * LANES;
    for (size_t t = 0; t < a->n_tokens; t++) {
        const float *row = a->values + t * a->stride;
        float *to = packed + t * LANES;
        fetch_next_head(a, row);
        size_t i = 0;
        for (; i + LANES <= a->head_size; i += LANES, to += panel) store(to, load(row + i));
        if (i < a->head_size) store(to, load_first(row + i, a->head_size - i));
    }
}

/* The queries, times what makes powers of two of the softmax's powers of e. */
TARGET static void pack_queries(const struct local_attention *a, size_t first, size_t n,
                                const struct attention_block *block)
{
    lanes scale = all((float)((double)a->scale * LOG2_E));
    for (size_t q = 0; q < n; q++) {
        const float *row = a->queries + (first + q) * a->stride;
        float *to = block->queries + q * block->head_panels * LANES;
        fetch_next_head(a, row);
        size_t i = 0;
        for (; i + LANES <= a->head_size; i += LANES) store(to + i, scale * load(row + i));
        if (i < a->head_size) store(to + i, scale * load_first(row + i, a->head_size - i));
    }
}

#ifdef HAS_DOT2

EACH lanes load_up_to(const float *row, size_t n)
{
    return n >= LANES ? load(row) : load_first(row, n);
}

/* The first n (2 * LANES at most) of a row, times `scale`, as pairs. */
EACH lanes pairs_of_row(const float *row, size_t n, lanes scale)
{
    lanes low = load_up_to(row, n);
    lanes high = n > LANES ? load_up_to(row + LANES, n - LANES) : all(0.0f);
    return rounded_rows(scale * low, scale * high);
}

/* Columns 0 .. n - 1 (n <= 2 * LANES) of n_rows rows into a panel; what is beyond them does not
 * count. */
EACH void pack_square_of_pairs(const float *rows, size_t stride, size_t n_rows, size_t n,
                               float *panel)
{
    lanes square[LANES], one = all(1.0f);
    const float *row = rows;
    UNROLLED
    for (size_t r = 0; r < LANES; r++, row += r < n_rows ? stride : 0)
        square[r] = pairs_of_row(row, n, one);
    transpose(square);
    UNROLLED
    for (size_t j = 0; j < LANES; j++)
        if (2 * j < n) store(panel + j * LANES, square[j]);
}

TARGET static void pack_key_pairs(const struct local_attention *a, float *panel)
{
    for (size_t t = 0; t < a->n_tokens; t += LANES) {
        const float *rows = a->keys + t * a->stride;
        size_t n_rows = a->n_tokens - t, i = 0;
        for (size_t r = 0; r < LANES && r < n_rows; r++) fetch_next_head(a, rows + r * a->stride);
        for (; i + 2 * LANES <= a->head_size; i += 2 * LANES, panel += LANES * LANES)
            pack_square_of_pairs(rows + i, a->stride, n_rows, 2 * LANES, panel);
        if (i < a->head_size) {
            pack_square_of_pairs(rows + i, a->stride, n_rows, a->head_size - i, panel);
            panel += (a->head_size - i + 1) / 2 * LANES;
        }
    }
}

/* What stands beside the last of an odd number of tokens is zero. */
TARGET static void pack_value_pairs(const struct local_attention *a, float *packed)
{
    size_t panel = (a->n_tokens + 1) / 2 * LANES;
    for (size_t t = 0; t < a->n_tokens; t += 2, packed += LANES) {
        const float *row = a->values + t * a->stride;
        const float *other = t + 1 < a->n_tokens ? row + a->stride : row;
        lanes factor = all(other == row ? 0.0f : 1.0f);
        float *to = packed;
        fetch_next_head(a, row);
        fetch_next_head(a, other);
        for (size_t i = 0; i < a->head_size; i += LANES, to += panel) {
            size_t n = a->head_size - i;
            lanes second = factor * load_up_to(other + i, n);
            store(to, rounded_lanes(load_up_to(row + i, n), second));
        }
    }
}

TARGET static void pack_query_pairs(const struct local_attention *a, size_t first, size_t n,
                                    const struct attention_block *block)
{
    lanes scale = all((float)((double)a->scale * LOG2_E));
    for (size_t q = 0; q < n; q++) {
        const float *row = a->queries + (first + q) * a->stride;
        float *to = block->queries + q * block->head_panels * LANES;
        fetch_next_head(a, row);
        size_t i = 0;
        for (; i + 2 * LANES <= a->head_size; i += 2 * LANES, to += LANES)
            store(to, pairs_of_row(row + i, 2 * LANES, scale));
        if (i < a->head_size) store(to, pairs_of_row(row + i, a->head_size - i, scale));
    }
}

#endif

/* ---- the product ----------------------------------------------------------------------------- */

/* output[r][c] = sum over k of left[r][k] * right[c / LANES][k][c % LANES], times a factor of
 * the row. A term may be a pair of products. */
struct narrow_product {
    int in_pairs;
    size_t n; /* terms */
    const float *left;
    size_t left_stride;
    const float *right;
    size_t panel; /* floats from one panel of the right side to the next */
    float *output;
    size_t output_stride;
    const float *factors; /* of the rows; NULL: they are scores, to be limited */
    size_t n_columns;     /* of the output that are left to write */
};

EACH lanes limited(lanes score)
{
    return max(all(-LARGEST_SCORE), min(all(LARGEST_SCORE), score));
}

EACH void store_up_to(float *output, size_t n, lanes sum)
{
    if (n >= LANES) store(output, sum);
    else store_first(output, n, sum);
}

EACH void put_scores(const struct narrow_product *p, lanes sums[][2], const size_t n_rows,
                     const size_t n_panels)
{
    float *output = p->output;
    size_t stride = p->output_stride;
    UNROLLED
    for (size_t r = 0; r < n_rows; r++, output += stride) {
        store(output, limited(sums[r][0]));
        if (n_panels == 2) store(output + LANES, limited(sums[r][1]));
    }
}

EACH void put_output(const struct narrow_product *p, lanes sums[][2], const size_t n_rows,
                     const size_t n_panels)
{
    float *output = p->output;
    const float *factors = p->factors;
    size_t stride = p->output_stride, n = p->n_columns;
    UNROLLED
    for (size_t r = 0; r < n_rows; r++, output += stride) {
        lanes factor = all(factors[r]);
        store_up_to(output, n, sums[r][0] * factor);
        if (n_panels == 2) store_up_to(output + LANES, n - LANES, sums[r][1] * factor);
    }
}

EACH lanes add_term(int in_pairs, lanes a, lanes b, lanes sum)
{
#ifdef HAS_DOT2
    if (in_pairs) return add_dot2(sum, a, b);
#endif
    (void)in_pairs;
    return fused(a, b, sum);
}

/* All parameters but the first are constants. */
EACH void multiply(const struct narrow_product *p, const size_t n_rows, const size_t n_panels,
                   const int in_pairs)
{
    lanes sums[ROWS][2];
    const float *left = p->left, *right = p->right;
    size_t stride = p->left_stride, panel = p->panel;
    UNROLLED
    for (size_t r = 0; r < n_rows; r++) sums[r][0] = sums[r][1] = all(0.0f);
    for (size_t k = 0; k < p->n; k++, left++, right += LANES) {
        lanes right0 = load(right), right1 = n_panels == 2 ? load(right + panel) : right0;
        UNROLLED
        for (size_t r = 0; r < n_rows; r++) {
            lanes one = all(left[r * stride]);
            sums[r][0] = add_term(in_pairs, one, right0, sums[r][0]);
            if (n_panels == 2) sums[r][1] = add_term(in_pairs, one, right1, sums[r][1]);
        }
    }
    if (p->factors == NULL) put_scores(p, sums, n_rows, n_panels);
    else put_output(p, sums, n_rows, n_panels);
}

/* One kernel for each number of rows, of one panel and of two. */
#define MULTIPLY(n_rows)                                                                           \
    case n_rows:                                                                                   \
        if (n_panels == 2) multiply(p, n_rows, 2, in_pairs);                                       \
        else multiply(p, n_rows, 1, in_pairs);                                                     \
        break

EACH void multiply_some(const struct narrow_product *p, size_t n_rows, size_t n_panels,
                        const int in_pairs)
{
    switch (n_rows) {
        MULTIPLY(1);
        MULTIPLY(2);
        MULTIPLY(3);
        MULTIPLY(4);
        MULTIPLY(5);
        MULTIPLY(6);
#if ROWS == 8
        MULTIPLY(7);
        MULTIPLY(8);
#endif
    }
}

TARGET static void multiply_rows(const struct narrow_product *p, size_t n_rows, size_t n_panels)
{
#ifdef HAS_DOT2
    if (p->in_pairs) {
        multiply_some(p, n_rows, n_panels, 1);
        return;
    }
#endif
    multiply_some(p, n_rows, n_panels, 0);
}

TARGET static void multiply_all(struct narrow_product *p, size_t n_rows, size_t n_panels)
{
    for (; n_panels >= 2; n_panels -= 2) {
        multiply_rows(p, n_rows, 2);
        p->right += 2 * p->panel;
        p->output += 2 * LANES;
        p->n_columns -= 2 * LANES;
    }
    if (n_panels == 1) multiply_rows(p, n_rows, 1);
}

/* ---- bias ------------------------------------------------------------------------------------ */

/* Scores are exponents of two. */
TARGET static void add_bias(const struct local_attention *a, size_t first, size_t n_rows,
                            float *scores, size_t stride)
{
    lanes unit = all((float)LOG2_E);
    for (size_t r = 0; r < n_rows; r++, scores += stride) {
        const float *bias = a->bias - (first + r);
        size_t t = 0;
        for (; t + LANES <= a->n_tokens; t += LANES)
            store(scores + t, limited(fused(load(bias + t), unit, load(scores + t))));
        if (t < a->n_tokens)
            store(scores + t,
                  limited(fused(load_first(bias + t, a->n_tokens - t), unit, load(scores + t))));
    }
}

/* ---- softmax --------------------------------------------------------------------------------- */

EACH lanes largest_score(const float *scores, size_t n)
{
    lanes none = all(-LARGEST_SCORE), m0 = none, m1 = none;
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        m0 = max(m0, load(scores + i));
        m1 = max(m1, load(scores + i + LANES));
    }
    if (i + LANES <= n) {
        m0 = max(m0, load(scores + i));
        i += LANES;
    }
    if (i < n) m1 = max(m1, keep_first(load(scores + i), n - i, none));
    return all(max_lane(max(m0, m1)));
}

/* 2^(score - largest). */
EACH lanes power_of_score(const float *score, lanes largest)
{
    lanes x = exponents(load(score) - largest), n = nearest(x);
    return power_of_two(n, x - n);
}

/* Scores become powers, whose sum it is. */
EACH lanes powers_of_scores(float *scores, size_t n, lanes largest)
{
    lanes sum = all(0.0f);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        lanes power = power_of_score(scores + i, largest);
        store(scores + i, power);
        sum = sum + power;
    }
    if (i < n) {
        lanes power = power_of_score(scores + i, largest);
        store(scores + i, power);
        sum = sum + keep_first(power, n - i, all(0.0f));
    }
    return sum;
}

#ifdef HAS_DOT2
/* The same within 2^-13, to be rounded to 2^-9. */
EACH lanes rough_power_of_score(const float *score, lanes largest)
{
    lanes x = exponents(load(score) - largest), n = nearest(x), f = x - n;
    lanes p = fused(all(0.0550089031f), f, all(0.242210969f));
    p = fused(p, f, all(0.693282962f));
    return times_power(fused(p, f, all(1.0f)), n);
}

/* Scores become powers in pairs, zeros behind them; the sum of all. */
EACH lanes power_pairs_of_scores(float *scores, size_t n, lanes largest)
{
    lanes sum = all(0.0f), zero = sum;
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        lanes low = rough_power_of_score(scores + i, largest);
        lanes high = rough_power_of_score(scores + i + LANES, largest);
        store(scores + i / 2, rounded_rows(low, high));
        sum = sum + (low + high);
    }
    if (i == n) return sum;
    lanes low = rough_power_of_score(scores + i, largest), high = zero;
    if (n - i < LANES) low = keep_first(low, n - i, zero);
    if (n - i > LANES)
        high = keep_first(rough_power_of_score(scores + i + LANES, largest), n - i - LANES, zero);
    store(scores + i / 2, rounded_rows(low, high));
    return sum + (low + high);
}
#endif

/* Makes probabilities of rows of scores, but for a factor of each row. Step by step for all rows,
 * so that one row's lanes come together while the next row's are worked on. */
TARGET static void softmax(const struct attention_block *block, size_t n_rows, size_t n,
                           float *factors)
{
    lanes largest[ROWS], sums[ROWS];
    float *scores = block->scores;
    size_t stride = block->token_panels * LANES;
    for (size_t r = 0; r < n_rows; r++) largest[r] = largest_score(scores + r * stride, n);
#ifdef HAS_DOT2
    for (size_t r = 0; r < n_rows && block->in_pairs; r++)
        sums[r] = power_pairs_of_scores(scores + r * stride, n, largest[r]);
#endif
    for (size_t r = 0; r < n_rows && !block->in_pairs; r++)
        sums[r] = powers_of_scores(scores + r * stride, n, largest[r]);
    for (size_t r = 0; r < n_rows; r++) factors[r] = 1.0f / sum_lanes(sums[r]);
}

/* ---- attention ------------------------------------------------------------------------------- */

TARGET static void pack_right(const struct local_attention *a, const struct attention_block *block)
{
#ifdef HAS_DOT2
    if (block->in_pairs) {
        pack_key_pairs(a, block->keys);
        pack_value_pairs(a, block->values);
        return;
    }
#endif
    pack_keys(a, block->keys);
    pack_values(a, block->values);
}

TARGET static void pack_left(const struct local_attention *a, size_t first, size_t n,
                             const struct attention_block *block)
{
#ifdef HAS_DOT2
    if (block->in_pairs) {
        pack_query_pairs(a, first, n, block);
        return;
    }
#endif
    pack_queries(a, first, n, block);
}

TARGET static void attend(const struct local_attention *a, size_t first, size_t n_rows,
                          const struct attention_block *block)
{
    size_t scores_stride = block->token_panels * LANES;
    float factors[ROWS];
    pack_left(a, first, n_rows, block);
    struct narrow_product scores = {.in_pairs = block->in_pairs,
                                    .n = block->head_terms,
                                    .left = block->queries,
                                    .left_stride = block->head_panels * LANES,
                                    .right = block->keys,
                                    .panel = block->head_terms * LANES,
                                    .output = block->scores,
                                    .output_stride = scores_stride,
                                    .n_columns = scores_stride};
    multiply_all(&scores, n_rows, block->token_panels);
    if (a->bias != NULL) add_bias(a, first, n_rows, block->scores, scores_stride);
    softmax(block, n_rows, a->n_tokens, factors);
    struct narrow_product output = {.in_pairs = block->in_pairs,
                                    .n = block->token_terms,
                                    .left = block->scores,
                                    .left_stride = scores_stride,
                                    .right = block->values,
                                    .panel = block->token_terms * LANES,
                                    .output = a->output + first * a->output_stride,
                                    .output_stride = a->output_stride,
                                    .factors = factors,
                                    .n_columns = a->head_size};
    multiply_all(&output, n_rows, block->head_panels);
}

/* Blocks of queries of nearly one size: 6, 6, 6 is faster than 8, 8, 2. */
TARGET static void attend_all(const struct local_attention *a, int in_pairs)
{
    size_t together = in_pairs ? 2 : 1;
    struct attention_block block = {.in_pairs = in_pairs,
                                    .token_panels = panels_of(a->n_tokens),
                                    .head_panels = panels_of(a->head_size),
                                    .token_terms = (a->n_tokens + together - 1) / together,
                                    .head_terms = (a->head_size + together - 1) / together};
    block.keys = a->scratch;
    block.values = block.keys + block.token_panels * LANES * block.head_terms;
    block.queries = block.values + block.head_panels * LANES * block.token_terms;
    block.scores = block.queries + ROWS * block.head_panels * LANES;
    pack_right(a, &block);
    size_t n_blocks = (a->n_queries + ROWS - 1) / ROWS, done = 0;
    for (size_t b = 0; b < n_blocks; b++) {
        size_t n = a->n_queries / n_blocks + (b < a->n_queries % n_blocks);
        attend(a, a->first_query + done, n, &block);
        done += n;
    }
}

TARGET void FAMILY(attention)(const struct local_attention *attention)
{
    attend_all(attention, 0);
}

#ifdef HAS_DOT2
TARGET void FAMILY(attention_in_pairs)(const struct local_attention *attention)
{
    attend_all(attention, 1);
}
#endif

#endif
