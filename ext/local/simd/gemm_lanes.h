/*
 * gemm_lanes.h: gemm of AVX2, AVX-512 and NEON, written once over lanes. Included by
 * gemm_avx2.c, gemm_avx512.c and gemm_neon.c alone, each behind the header of its name, which says
 * what a lane operation is:
 *
 *   TARGET, INLINE        attributes of a function, of an operation
 *   LANES, lanes          floats of a register (NEON: of two), and its type, which holds whole
 *                         numbers as well
 *   TILE_ROWS             of a tile at most: 4, 6 or 14
 *   HAS_DOT2, HAS_DOT4    if there are add_dot2, add_dot4
 *
 * and the operations that are used below.
 *
 * A panel is two registers wide. A tile's sums, two a row, stay in registers. A step loads two
 * registers of the panel and for each row broadcasts a few bytes, which meet both. What these bytes
 * are is the difference between the kinds of tiles. Without instructions for pairs of bfloat16 and
 * for codes, rows are widened first, a chunk at a time, and weights in the loop. The loop is
 * written once, for constant kinds and numbers of rows.
 */
#include <string.h>

#include "local/simd/layers.h"
#include "local/simd/gemm.h"

#define WIDTH (2 * (size_t)LANES)
#define LINE (sizeof(lanes))
#define CHUNK 256 /* inputs that are widened at a time, a multiple of 4 */

/* DO(r, c, d, p) for each row of a tile: the names of its sums, and its address. */
#define ROWS_4(DO)                                                                                 \
    DO(0, c0, d0, p0)                                                                              \
    DO(1, c1, d1, p0 + next)                                                                       \
    DO(2, c2, d2, p0 + 2 * next)                                                                   \
    DO(3, c3, d3, p0 + third)
#define ROWS_6(DO)                                                                                 \
    ROWS_4(DO)                                                                                     \
    DO(4, c4, d4, p4)                                                                              \
    DO(5, c5, d5, p4 + next)
#define ROWS_14(DO)                                                                                \
    ROWS_6(DO)                                                                                     \
    DO(6, c6, d6, p4 + 2 * next)                                                                   \
    DO(7, c7, d7, p4 + third)                                                                      \
    DO(8, c8, d8, p8)                                                                              \
    DO(9, c9, d9, p8 + next)                                                                       \
    DO(10, c10, d10, p8 + 2 * next)                                                                \
    DO(11, c11, d11, p8 + third)                                                                   \
    DO(12, c12, d12, p12)                                                                          \
    DO(13, c13, d13, p12 + next)

/* DO(kind, n) for each number of rows. */
#define NUMBERS_4(DO, kind) DO(kind, 1) DO(kind, 2) DO(kind, 3) DO(kind, 4)
#define NUMBERS_6(DO, kind) NUMBERS_4(DO, kind) DO(kind, 5) DO(kind, 6)
#define NUMBERS_14(DO, kind)                                                                       \
    NUMBERS_6(DO, kind)                                                                            \
    DO(kind, 7)                                                                                    \
    DO(kind, 8)                                                                                    \
    DO(kind, 9)                                                                                    \
    DO(kind, 10)                                                                                   \
    DO(kind, 11)                                                                                   \
    DO(kind, 12)                                                                                   \
    DO(kind, 13)                                                                                   \
    DO(kind, 14)

#define JOIN_NOW(a, b) a##b
#define JOIN(a, b) JOIN_NOW(a, b)
#define EACH_ROW(DO) JOIN(ROWS_, TILE_ROWS)(DO)
#define EACH_NUMBER(DO, kind) JOIN(NUMBERS_, TILE_ROWS)(DO, kind)

/* What a step multiplies. */
enum kind {
    FLOATS, /* one input */
    DOT2,   /* two inputs of bfloat16 */
    DOT4,   /* four inputs of int8 */
    WIDE,   /* one input of bfloat16; rows widened to floats */
    WORDS   /* four inputs of int8, for half of the columns; rows widened to int16 */
};

/* ---- conversions ----------------------------------------------------------------------------- */

INLINE size_t at_most_lanes(size_t n)
{
    return n < LANES ? n : LANES;
}

/* Two of each extreme: one instruction need not wait for the one before. */
TARGET static struct gemm_range range_of(const float *floats, size_t n)
{
    lanes low = all(0.0f), high = low, other_low = low, other_high = low;
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        lanes values = load_first(floats + i, LANES),
              others = load_first(floats + i + LANES, LANES);
        low = min(values, low);
        high = max(values, high);
        other_low = min(others, other_low);
        other_high = max(others, other_high);
    }
    for (; i < n; i += LANES) {
        lanes values = load_first(floats + i, at_most_lanes(n - i));
        low = min(values, low);
        high = max(values, high);
    }
    return gemm_range(min_lane(min(other_low, low)), max_lane(max(other_high, high)));
}

/* Rounded twice, as in every family: no fused operation. */
INLINE lanes code_of(lanes values, lanes inverse, lanes shift)
{
    return plus(times(values, inverse), shift);
}

INLINE void code_four(const float *floats, lanes inverse, lanes shift, uint8_t *codes)
{
    store_four_codes(codes, code_of(load(floats), inverse, shift),
                     code_of(load(floats + LANES), inverse, shift),
                     code_of(load(floats + 2 * LANES), inverse, shift),
                     code_of(load(floats + 3 * LANES), inverse, shift));
}

INLINE void code_some(const float *floats, size_t count, lanes inverse, lanes shift, uint8_t *codes)
{
    lanes code = code_of(load_first(floats, count), inverse, shift);
    store_codes(codes, (count + 3) / 4 * 4, min(max(code, all(0.0f)), all(255.0f)));
}

TARGET static void code_row(const float *floats, size_t n, struct gemm_range range, uint8_t *codes)
{
    lanes inverse = all(range.inverse), shift = all(range.zero);
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) code_four(floats + i, inverse, shift, codes + i);
    for (; i + LANES <= n; i += LANES) code_some(floats + i, LANES, inverse, shift, codes + i);
    if (i < n) code_some(floats + i, n - i, inverse, shift, codes + i);
}

TARGET static void round_row(const float *floats, size_t n, uint16_t *rounded)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store_rounded(rounded + i, LANES, load_first(floats + i, LANES));
    if (i < n) store_rounded(rounded + i, (n - i + 1) / 2 * 2, load_first(floats + i, n - i));
}

static const struct gemm_coder coder = {range_of, code_row, round_row};

/* ---- sums ------------------------------------------------------------------------------------ */

/* What a tile's sums are made of. */
struct source {
    const unsigned char *row; /* the first */
    size_t row_bytes;         /* to the next */
    const unsigned char *panel;
    size_t n_steps;
    const unsigned char *ahead, *ahead_end; /* as in struct gemm_tile */
};

/* Bytes of a row, of a panel, that a step takes. */
INLINE size_t row_step(enum kind kind)
{
    return kind == WORDS ? 8 : 4;
}

INLINE size_t panel_step(enum kind kind)
{
    return kind == WIDE ? LINE : 2 * LINE;
}

/* Half of the columns of step `step` from `panel` on; of WORDS a quarter. */
INLINE lanes weights_of(enum kind kind, const unsigned char *panel, size_t step, size_t half)
{
    if (kind == WORDS) return load_words(panel + 2 * LINE * step + LINE / 2 * half);
    if (kind == WIDE) {
        lanes pairs = load_line(panel + 2 * LINE * (step / 2) + LINE * half);
        return step % 2 == 0 ? evens_of_pairs(pairs) : odds_of_pairs(pairs);
    }
    return load_line(panel + 2 * LINE * step + LINE * half);
}

INLINE lanes add_product(enum kind kind, lanes sum, lanes a, lanes b)
{
#ifdef HAS_DOT2
    if (kind == DOT2) return add_dot2(sum, a, b);
#endif
#ifdef HAS_DOT4
    if (kind == DOT4) return add_dot4(sum, a, b);
#endif
    if (kind == WORDS) return add_words(sum, a, b);
    return fused(a, b, sum);
}

#define START(r, c, d, p) lanes c = all(0.0f), d = c;
#define ADD(r, c, d, p)                                                                            \
    if (n > (r)) {                                                                                 \
        lanes a = kind == WORDS ? all_eight_bytes((p) + at) : all_four_bytes((p) + at);            \
        c = add_product(kind, c, a, b0);                                                           \
        d = add_product(kind, d, a, b1);                                                           \
    }
#define END(r, c, d, p)                                                                            \
    if (n > (r)) {                                                                                 \
        store_line(sums + (r)*WIDTH, c);                                                           \
        store_line(sums + (r)*WIDTH + LANES, d);                                                   \
    }
#define STEP(step)                                                                                 \
    {                                                                                              \
        const size_t at = (step)*row_step(kind);                                                   \
        lanes b0 = weights_of(kind, panel, step, 0), b1 = weights_of(kind, panel, step, 1);        \
        EACH_ROW(ADD)                                                                              \
    }

/* The sums of n rows: [n][WIDTH]. */
INLINE void sum_up(enum kind kind, size_t n, const struct source *source, float *sums)
{
    size_t next = source->row_bytes, third = 3 * next;
    const unsigned char *panel = source->panel;
    const unsigned char *ahead = source->ahead, *ahead_end = source->ahead_end;
    const unsigned char *p0 = source->row, *p4 = p0 + 4 * next, *p8 = p4 + 4 * next;
    const unsigned char *p12 = p8 + 4 * next;
    EACH_ROW(START)
    for (size_t left = source->n_steps / 2; left > 0; left--) {
        /* Keeps the compiler from making a pointer of each row: there are not so many registers. */
        __asm__("" : "+r"(p0), "+r"(p4), "+r"(p8), "+r"(p12), "+r"(third));
        for (size_t i = 0; i < 2 * panel_step(kind) && ahead < ahead_end; i += 64, ahead += 64)
            prefetch(ahead);
        STEP(0)
        STEP(1)
        p0 += 2 * row_step(kind);
        p4 += 2 * row_step(kind);
        p8 += 2 * row_step(kind);
        p12 += 2 * row_step(kind);
        panel += 2 * panel_step(kind);
    }
    if (source->n_steps % 2 != 0) STEP(0)
    EACH_ROW(END)
}

#define DEFINE(kind, n)                                                                            \
    TARGET static void sum_##kind##_##n(const struct source *source, float *sums)                  \
    {                                                                                              \
        sum_up(kind, n, source, sums);                                                             \
    }
#define NAME(kind, n) sum_##kind##_##n,
/* sum_KIND[n - 1] sums up n rows. */
#define DEFINE_ALL(kind)                                                                           \
    EACH_NUMBER(DEFINE, kind)                                                                      \
    static void (*const sum_##kind[])(const struct source *source,                                 \
                                      float *sums) = {EACH_NUMBER(NAME, kind)};

DEFINE_ALL(FLOATS)
DEFINE_ALL(WIDE)
DEFINE_ALL(WORDS)

/* Steps of `inputs` inputs. */
static inline struct source source_of(const struct gemm_tile *tile, size_t inputs)
{
    return (struct source){
        .row = gemm_row(tile, 0),
        .row_bytes = gemm_row_bytes(tile->matrix->precision, tile->rows),
        .panel = tile->panel,
        .n_steps = (tile->matrix->n_in + inputs - 1) / inputs,
        .ahead = tile->ahead,
        .ahead_end = tile->ahead_end,
    };
}

TARGET static void sum_float32(struct gemm_tile *tile)
{
    struct source source = source_of(tile, 1);
    sum_FLOATS[tile->n_rows - 1](&source, tile->sums->floats);
}

/* Inputs first .. first + n - 1 of the tile's rows, n even. */
TARGET static void widen_pairs(const struct gemm_tile *tile, size_t first, size_t n,
                               float (*wide)[CHUNK])
{
    for (size_t r = 0; r < tile->n_rows; r++) {
        const uint16_t *row = (const uint16_t *)(const void *)gemm_row(tile, r) + first;
        for (size_t i = 0; i < n; i += LANES)
            store_line(wide[r] + i, widen_rounded(row + i, at_most_lanes(n - i)));
    }
}

/* A chunk ends in an addition: the order of a sum depends on the number of inputs alone. */
TARGET static void sum_wide(struct gemm_tile *tile)
{
    _Alignas(64) float wide[TILE_ROWS][CHUNK], chunk[TILE_ROWS * WIDTH];
    float *sums = tile->sums->floats;
    size_t n_in = (tile->matrix->n_in + 1) / 2 * 2;
    for (size_t first = 0; first < n_in; first += CHUNK) {
        size_t n = n_in - first < CHUNK ? n_in - first : CHUNK;
        widen_pairs(tile, first, n, wide);
        struct source source = {(const unsigned char *)wide,
                                sizeof wide[0],
                                tile->panel + first * WIDTH * sizeof(uint16_t),
                                n,
                                tile->ahead + first * WIDTH * sizeof(uint16_t),
                                tile->ahead_end};
        sum_WIDE[tile->n_rows - 1](&source, first == 0 ? sums : chunk);
        for (size_t i = 0; i < tile->n_rows * WIDTH && first > 0; i += LANES)
            store_line(sums + i, plus(load_line(sums + i), load_line(chunk + i)));
    }
}

/* n a multiple of 4. */
TARGET static void widen_codes(const struct gemm_tile *tile, size_t first, size_t n,
                               int16_t (*wide)[CHUNK])
{
    for (size_t r = 0; r < tile->n_rows; r++) {
        const uint8_t *row = gemm_row(tile, r) + first;
        for (size_t i = 0; i < n; i += LANES)
            store_wide_codes(wide[r] + i, row + i, at_most_lanes(n - i));
    }
}

/* Adds the chunk to half of the columns: two sums a column, side by side. */
TARGET static void add_halves(const struct gemm_tile *tile, size_t half, const float *chunk)
{
    for (size_t r = 0; r < tile->n_rows; r++) {
        float *sums = tile->sums->floats + r * WIDTH + half * LANES;
        lanes low = load_line(chunk + r * WIDTH), high = load_line(chunk + r * WIDTH + LANES);
        store_line(sums, plus_whole(load_line(sums), add_neighbours(low, high)));
    }
}

TARGET static void sum_words(struct gemm_tile *tile)
{
    _Alignas(64) int16_t wide[TILE_ROWS][CHUNK];
    _Alignas(64) float chunk[TILE_ROWS * WIDTH];
    size_t n_in = (tile->matrix->n_in + 3) / 4 * 4;
    memset(tile->sums, 0, tile->n_rows * WIDTH * sizeof(int32_t));
    for (size_t first = 0; first < n_in; first += CHUNK) {
        size_t n = n_in - first < CHUNK ? n_in - first : CHUNK;
        widen_codes(tile, first, n, wide);
        for (size_t half = 0; half < 2; half++) {
            struct source source = {(const unsigned char *)wide,
                                    sizeof wide[0],
                                    tile->panel + first * WIDTH + LINE * half,
                                    n / 4,
                                    tile->ahead + first * WIDTH,
                                    half == 0 ? tile->ahead_end : NULL};
            sum_WORDS[tile->n_rows - 1](&source, chunk);
            add_halves(tile, half, chunk);
        }
    }
}

/* ---- store ----------------------------------------------------------------------------------- */

/* What a panel's columns have in common, in registers. */
struct columns {
    lanes bias[2], scales[2], sums[2], wide[LOCAL_WIDE][2];
};

/* The last two parameters of these are constants. */
INLINE void columns_of(struct columns *columns, const struct gemm_tile *tile, int is_int8,
                       int has_wide)
{
    const struct local_matrix *matrix = tile->matrix;
    UNROLLED
    for (size_t half = 0; half < 2; half++) {
        size_t column = tile->column + half * LANES;
        columns->bias[half] = load_line(matrix->bias + column);
        if (!is_int8) continue;
        columns->scales[half] = load_line(matrix->scales + column);
        columns->sums[half] = load_line(matrix->sums + column);
        if (!has_wide) continue;
        UNROLLED
        for (size_t k = 0; k < LOCAL_WIDE; k++)
            columns->wide[k][half] =
                load_line(matrix->wide_weights + k * matrix->n_panels * WIDTH + column);
    }
}

/* Of a row: `zero`, `scale` and `wide` [LOCAL_WIDE] are its own; of int8. */
INLINE lanes in_units(const struct columns *columns, size_t half, lanes sum, int32_t zero,
                      lanes scale, const float *wide, int is_int8, int has_wide)
{
    lanes beside = columns->bias[half];
    if (!is_int8) return plus(sum, beside);
    UNROLLED
    for (size_t k = 0; k < LOCAL_WIDE && has_wide; k++)
        beside = fused(all(wide[k]), columns->wide[k][half], beside);
    sum = floats_of_whole(minus_product(sum, zero, columns->sums[half]));
    return fused(sum, times(scale, columns->scales[half]), beside);
}

INLINE void store_rows(const struct gemm_tile *tile, float *values, size_t stride,
                       const float *residual, int is_int8, int has_wide)
{
    size_t n_rows = tile->n_rows, n_columns = tile->n_columns;
    const float *sums = tile->sums->floats, *scales = tile->rows->scales;
    const float *wide = tile->rows->wide_values;
    const int32_t *zeros = tile->rows->zeros;
    struct columns columns;
    columns_of(&columns, tile, is_int8, has_wide);
    if (is_int8) {
        scales += tile->row;
        zeros += tile->row;
        wide += tile->row * LOCAL_WIDE;
    }
    for (size_t r = 0; r < n_rows; r++, sums += WIDTH, values += stride) {
        int32_t zero = is_int8 ? zeros[r] : 0;
        lanes scale = all(is_int8 ? scales[r] : 0.0f);
        UNROLLED
        for (size_t half = 0; half < 2; half++) {
            size_t at = half * LANES, count = at_most_lanes(n_columns - at);
            lanes sum = in_units(&columns, half, load_line(sums + at), zero, scale, wide, is_int8,
                                 has_wide);
            if (n_columns == WIDTH) {
                store(values + at, residual == NULL ? sum : plus(sum, load(residual + at)));
            } else if (n_columns > at) {
                if (residual != NULL) sum = plus(sum, load_first(residual + at, count));
                store_first(values + at, count, sum);
            }
        }
        if (residual != NULL) residual += stride;
        if (has_wide) wide += LOCAL_WIDE;
    }
}

TARGET static void store_tile(const struct gemm_tile *tile, float *values, size_t stride,
                              const float *residual)
{
    if (tile->matrix->precision != LOCAL_INT8) store_rows(tile, values, stride, residual, 0, 0);
    else if (tile->matrix->wide.n == 0) store_rows(tile, values, stride, residual, 1, 0);
    else store_rows(tile, values, stride, residual, 1, 1);
}

/* The function NAME_gemm, of the sums for bfloat16 and int8. */
#define DEFINE_GEMM(name, layers, bfloat16, int8)                                                  \
    void name##_gemm(const struct local_matrix *matrix, const struct local_rows *rows,             \
                     const struct local_output *output, size_t first, size_t last)                 \
    {                                                                                              \
        static const struct gemm_family family = {                                                 \
            .width = WIDTH,                                                                        \
            .n_rows = TILE_ROWS,                                                                   \
            .row_step = 1,                                                                         \
            .sum = {sum_float32, bfloat16, int8},                                                  \
            .store = store_tile,                                                                   \
            .activate = layers##_activate,                                                         \
        };                                                                                         \
        gemm_run(&family, matrix, rows, output, first, last);                                      \
    }
