#include "local/encoder.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "local/matrix.h"

#define ROWS 16          /* of an item that goes through rows */
#define ITEMS_A_MEMBER 4 /* of a gemm, so that nobody waits long for the last one */
#define PANELS 8         /* of an item of a team of one: between two looks at the halt */
#define QUERIES 256      /* of attention at a time */
#define LINE_FLOATS 16   /* of a line of the caches */

/* Steps of a team (team.h), at most: what local_encode does before the layers, in each (what
 * go_through_layer prepares and multiplies, and attention), and after. */
#define FIRST_STEPS 2
#define LAYER_STEPS 12
#define LAST_STEPS 3

/* What one member knows of a pass: the same as all others do, but for `member`. */
struct pass {
    const struct local_weights *weights;
    const struct local_group *group;
    struct team_member *member;
    size_t longest;
    size_t n_rows;        /* of `hidden`: tokens, or after the last attention texts */
    float *hidden;        /* [n_rows, hidden] */
    float *wide;          /* [n_rows, 3 hidden] or [n_rows, local_row_stride(inner)] */
    float *context;       /* [n_rows, hidden] what attention gives */
    float *cls;           /* [n_texts, hidden] the first token of each text */
    unsigned char *codes; /* [n_rows, hidden or inner] in the model's precision: matrix.h */
    unsigned char *own;   /* [n_members, own_size] of a member alone: attention's, or a panel */
    size_t own_size;
    size_t layer;
};

/* ---- memory ---------------------------------------------------------------------------------- */

static size_t take(size_t *used, size_t bytes)
{
    size_t at = *used;
    *used += (bytes + 63) / 64 * 64;
    return at;
}

static size_t widest(const struct local_config *config)
{
    size_t attention = 3 * config->hidden_size, inner = local_row_stride(config->intermediate_size);
    return attention > inner ? attention : inner;
}

/* What a member needs for one item at a time. */
static size_t own_size(const struct local_weights *weights, size_t longest)
{
    const struct local_config *config = &weights->config;
    size_t hidden = config->hidden_size, inner = config->intermediate_size, used = 0;
    size_t panel = local_matrix_scratch(weights->kernels, inner > hidden ? inner : hidden);
    size_t attention = weights->kernels->attention_scratch(longest, hidden / config->n_heads);
    take(&used, attention * sizeof(float));
    return used > panel ? used : panel;
}

static unsigned char *own(const struct pass *pass, const struct team_member *member)
{
    return pass->own + member->number * pass->own_size;
}

/* Where everything lies; the bytes of it all. scratch NULL: only the bytes. */
static size_t lay_out(struct pass *pass, size_t n_rows, size_t n_texts, size_t n_members,
                      unsigned char *scratch)
{
    const struct local_weights *weights = pass->weights;
    const struct local_config *config = &weights->config;
    size_t hidden = config->hidden_size, used = 0, inner = config->intermediate_size;
    size_t row = hidden * sizeof(float);
    pass->own_size = own_size(weights, pass->longest);
    size_t offsets[] = {
        take(&used, n_rows * row),
        take(&used, n_rows * widest(config) * sizeof(float)),
        take(&used, n_rows * row),
        take(&used, n_texts * row),
        take(&used, local_rows_bytes(weights->precision, n_rows, inner > hidden ? inner : hidden)),
        take(&used, n_members * pass->own_size),
    };
    if (scratch == NULL) return used;
    pass->hidden = (float *)(scratch + offsets[0]);
    pass->wide = (float *)(scratch + offsets[1]);
    pass->context = (float *)(scratch + offsets[2]);
    pass->cls = (float *)(scratch + offsets[3]);
    pass->codes = scratch + offsets[4];
    pass->own = scratch + offsets[5];
    return used;
}

size_t local_encoder_scratch(const struct local_weights *weights, size_t n_rows, size_t n_texts,
                             size_t longest, size_t n_members)
{
    struct pass pass = {.weights = weights, .longest = longest};
    return lay_out(&pass, n_rows, n_texts, n_members, NULL);
}

size_t local_encoder_steps(const struct local_weights *weights)
{
    return FIRST_STEPS + LAYER_STEPS * weights->config.n_layers + LAST_STEPS;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Rows of activations on their way to a gemm: normalised first, if `norm` is given. */
struct rows_step {
    const struct pass *pass;
    struct local_rows rows;        /* [n_rows, n_in], of `values` */
    float *values;                 /* [n_rows, stride]; stride = n_in with `norm` */
    const struct local_norm *norm; /* [n_in]; NULL: as they are */
    enum local_precision precision;
};

static void rows_item(void *context, struct team_member *member, size_t item)
{
    const struct rows_step *step = context;
    const struct local_weights *weights = step->pass->weights;
    size_t first = item * ROWS, n = step->rows.n_rows - first;
    (void)member;
    if (n > ROWS) n = ROWS;
    if (step->norm != NULL)
        weights->kernels->layer_norm(step->values + first * step->rows.n_in, n, step->rows.n_in,
                                     step->norm->weight, step->norm->bias,
                                     weights->config.layer_norm_epsilon);
    weights->kernels->convert(step->precision, &step->rows, first, first + n);
}

/* Makes the values [n_rows, stride], of which n are used, ready for a gemm with the matrix; NULL:
 * there is none. With `norm`: stride = n. */
static struct local_rows prepare(struct pass *pass, float *values, size_t n, size_t stride,
                                 const struct local_norm *norm, const struct local_matrix *matrix)
{
    struct rows_step step = {.pass = pass, .values = values, .norm = norm};
    enum local_precision precision = matrix == NULL ? LOCAL_FLOAT32 : matrix->precision;
    local_rows_init(&step.rows, precision, pass->n_rows, n, values, stride, pass->codes);
    step.precision = precision;
    if (matrix != NULL) step.rows.wide = matrix->wide;
    if (norm != NULL || precision != LOCAL_FLOAT32)
        team_step(pass->member, (pass->n_rows + ROWS - 1) / ROWS, rows_item, &step);
    return step.rows;
}

/* ---- gemm ------------------------------------------------------------------------------------ */

struct gemm_step {
    const struct pass *pass;
    const struct local_matrix *matrix; /* [n_out, n_in] */
    const struct local_rows *rows;     /* [n_rows, n_in] */
    const struct local_output *output; /* [n_rows, n_out] */
    size_t first, last;                /* panels */
    size_t n_panels;                   /* of an item */
};

static void gemm_item(void *context, struct team_member *member, size_t item)
{
    const struct gemm_step *step = context;
    size_t first = step->first + item * step->n_panels, last = first + step->n_panels;
    if (last > step->last) last = step->last;
    local_matrix_multiply(step->matrix, step->pass->weights->kernels, step->rows, step->output,
                          first, last, own(step->pass, member));
}

/* Panels first .. last - 1 of the output. */
static void multiply_some(struct pass *pass, const struct local_matrix *matrix,
                          const struct local_rows *rows, const struct local_output *output,
                          size_t first, size_t last)
{
    size_t n_members = pass->member->team->n_members, n = PANELS;
    if (n_members > 1) n = (last - first) / (n_members * ITEMS_A_MEMBER);
    if (n == 0) n = 1;
    struct gemm_step step = {pass, matrix, rows, output, first, last, n};
    team_step(pass->member, (last - first + n - 1) / n, gemm_item, &step);
}

static void multiply(struct pass *pass, const struct local_matrix *matrix,
                     const struct local_rows *rows, const struct local_output *output)
{
    multiply_some(pass, matrix, rows, output, 0, matrix->n_panels);
}

/* ---- embeddings ------------------------------------------------------------------------------ */

/* From the memory, of a table that no cache holds. */
static void fetch_row(const float *row, size_t n)
{
    for (size_t j = 0; j < n; j += LINE_FLOATS) __builtin_prefetch(row + j);
}

/* The rows of one text; there may be one segment for both texts of a pair, or none. */
static void embed_item(void *context, struct team_member *member, size_t item)
{
    const struct pass *pass = context;
    const struct local_weights *weights = pass->weights;
    const struct local_config *config = &weights->config;
    const struct local_text *text = &pass->group->texts[item];
    size_t n = config->hidden_size;
    (void)member;
    for (size_t i = 0; i < text->n_tokens; i++) {
        size_t segment = text->segments[i] < config->n_segments ? text->segments[i] : 0;
        const float *word = weights->words + text->ids[i] * n;
        const float *position = weights->positions + (config->first_position + i) * n;
        const float *kind = weights->segments == NULL ? NULL : weights->segments + segment * n;
        float *out = pass->hidden + (text->row + i) * n;
        if (i + 1 < text->n_tokens) fetch_row(weights->words + text->ids[i + 1] * n, n);
        if (kind == NULL)
            for (size_t j = 0; j < n; j++) out[j] = word[j] + position[j];
        else
            for (size_t j = 0; j < n; j++) out[j] = word[j] + kind[j] + position[j];
    }
}

/* ---- attention ------------------------------------------------------------------------------- */

static int only_cls(const struct pass *pass)
{
    const struct local_config *config = &pass->weights->config;
    return pass->layer + 1 == config->n_layers &&
           (config->classifies || config->pooling == LOCAL_CLS);
}

/* The hidden state of a text's first token. */
static void cls_item(void *context, struct team_member *member, size_t item)
{
    const struct pass *pass = context;
    size_t n = pass->weights->config.hidden_size;
    (void)member;
    memcpy(pass->cls + item * n, pass->hidden + pass->group->texts[item].row * n,
           n * sizeof *pass->cls);
}

/* Panels of queries that are computed of the first tokens alone. None where one panel has queries
 * and keys. */
static size_t cls_panels(const struct pass *pass)
{
    size_t n = pass->weights->config.hidden_size, width = pass->weights->kernels->width;
    return only_cls(pass) && n % width == 0 ? n / width : 0;
}

/* Queries, keys and values of all tokens: [n_rows, 3 hidden]. With cls_panels the queries of the
 * first tokens stand in the first rows. From here on the hidden state is that of these. */
static void project(struct pass *pass, const struct local_rows *rows)
{
    const struct local_matrix *matrix = &pass->weights->layers[pass->layer].attention;
    size_t n = pass->weights->config.hidden_size, n_queries = cls_panels(pass);
    struct local_output output = {.values = pass->wide, .stride = 3 * n};
    multiply_some(pass, matrix, rows, &output, n_queries, matrix->n_panels);
    if (!only_cls(pass)) return;
    team_step(pass->member, pass->group->n_texts, cls_item, pass);
    pass->hidden = pass->cls;
    pass->n_rows = pass->group->n_texts;
    if (n_queries == 0) return;
    struct local_rows first = prepare(pass, pass->hidden, n, n, NULL, matrix);
    multiply_some(pass, matrix, &first, &output, 0, n_queries);
}

/* Of a head; NULL: none. */
static const float *relative_bias(const struct local_weights *weights, size_t head)
{
    size_t reach = weights->config.n_positions - weights->config.first_position;
    if (weights->relative_bias == NULL) return NULL;
    return weights->relative_bias + head * (2 * reach - 1) + reach - 1;
}

/* One head of one text: of all its tokens, or of the first one. */
static void attention_item(void *context, struct team_member *member, size_t item)
{
    const struct pass *pass = context;
    const struct local_config *config = &pass->weights->config;
    const struct local_kernels *kernels = pass->weights->kernels;
    size_t n = config->hidden_size, size = n / config->n_heads;
    size_t number = item / config->n_heads, at = item % config->n_heads * size;
    const struct local_text *text = &pass->group->texts[number];
    const float *projected = pass->wide + text->row * 3 * n + at;
    int first_alone = only_cls(pass);
    size_t row = first_alone ? number : text->row;
    size_t n_queries = first_alone ? 1 : text->n_tokens;
    struct local_attention attention = {
        .queries = cls_panels(pass) > 0 ? pass->wide + number * 3 * n + at : projected,
        .keys = projected + n,
        .values = projected + 2 * n,
        .stride = 3 * n,
        .n_tokens = text->n_tokens,
        .head_size = size,
        .scale = 1 / sqrtf((float)size),
        .bias = relative_bias(pass->weights, item % config->n_heads),
        .output = pass->context + row * n + at,
        .output_stride = n,
        .scratch = (float *)(void *)own(pass, member),
    };
    for (size_t first = 0; first < n_queries; first += QUERIES) {
        size_t left = n_queries - first;
        if (first > 0 && team_is_halted(member)) break;
        attention.first_query = first;
        attention.n_queries = left < QUERIES ? left : QUERIES;
        if (pass->weights->precision == LOCAL_FLOAT32) kernels->attention(&attention);
        else kernels->attention_rounded(&attention);
    }
}

/* ---- a layer --------------------------------------------------------------------------------- */

/* The matrix that the hidden state meets after this layer; NULL: none. */
static const struct local_matrix *attention_after(const struct pass *pass)
{
    size_t next = pass->layer + 1;
    return next < pass->weights->config.n_layers ? &pass->weights->layers[next].attention : NULL;
}

/* Of the wide layer. */
static enum local_activation inner_activation(const struct pass *pass)
{
    enum local_activation activation = pass->weights->config.activation;
    int is_rough = activation == LOCAL_GELU && pass->weights->precision == LOCAL_INT8;
    return is_rough ? LOCAL_ROUGH_GELU : activation;
}

/* `rows`: the hidden state, ready; replaced by the next one. */
static void go_through_layer(struct pass *pass, struct local_rows *rows)
{
    const struct local_config *config = &pass->weights->config;
    const struct local_layer *layer = &pass->weights->layers[pass->layer];
    size_t n = config->hidden_size, inner = config->intermediate_size;
    project(pass, rows);
    team_step(pass->member, pass->group->n_texts * config->n_heads, attention_item, pass);
    struct local_output sum = {.values = pass->hidden, .stride = n, .residual = pass->hidden};
    *rows = prepare(pass, pass->context, n, n, NULL, &layer->attention_output);
    multiply(pass, &layer->attention_output, rows, &sum); /* [n_rows, hidden] */
    *rows = prepare(pass, pass->hidden, n, n, &layer->attention_norm, &layer->intermediate);
    struct local_output wide = {.values = pass->wide,
                                .stride = local_row_stride(inner),
                                .activation = inner_activation(pass)};
    multiply(pass, &layer->intermediate, rows, &wide); /* [n_rows, inner] */
    *rows = prepare(pass, pass->wide, inner, wide.stride, NULL, &layer->output);
    multiply(pass, &layer->output, rows, &sum); /* [n_rows, hidden] */
    *rows = prepare(pass, pass->hidden, n, n, &layer->output_norm, attention_after(pass));
}

/* ---- results --------------------------------------------------------------------------------- */

static void pool_item(void *context, struct team_member *member, size_t item)
{
    const struct pass *pass = context;
    const struct local_config *config = &pass->weights->config;
    const struct local_text *text = &pass->group->texts[item];
    size_t n = config->hidden_size;
    const float *rows = pass->hidden + text->row * n;
    (void)member;
    if (config->pooling == LOCAL_CLS) rows = pass->hidden + item * n;
    memcpy(text->result, rows, n * sizeof *rows);
    if (config->pooling == LOCAL_CLS) return;
    for (size_t i = 1; i < text->n_tokens; i++) {
        const float *row = rows + i * n;
        for (size_t j = 0; j < n; j++) {
            if (config->pooling == LOCAL_MEAN) text->result[j] += row[j];
            else if (row[j] > text->result[j]) text->result[j] = row[j];
        }
    }
    if (config->pooling == LOCAL_MEAN)
        for (size_t j = 0; j < n; j++) text->result[j] /= (float)text->n_tokens;
}

static void logit_item(void *context, struct team_member *member, size_t item)
{
    const struct pass *pass = context;
    (void)member;
    pass->group->texts[item].result[0] = pass->context[item];
}

static void classify(struct pass *pass)
{
    const struct local_weights *weights = pass->weights;
    size_t n = weights->config.hidden_size, n_texts = pass->group->n_texts;
    struct local_output pooled = {.values = pass->wide, .stride = n, .activation = LOCAL_TANH};
    struct local_output logits = {.values = pass->context, .stride = 1};
    struct local_rows rows;
    local_rows_init(&rows, LOCAL_FLOAT32, n_texts, n, pass->hidden, n, NULL);
    multiply(pass, &weights->pooler, &rows, &pooled); /* [n_texts, hidden] */
    local_rows_init(&rows, LOCAL_FLOAT32, n_texts, n, pass->wide, n, NULL);
    multiply(pass, &weights->classifier, &rows, &logits); /* [n_texts, 1] */
    team_step(pass->member, n_texts, logit_item, pass);
}

void local_encode(const struct local_weights *weights, const struct local_group *group,
                  size_t longest, unsigned char *scratch, struct team_member *member)
{
    struct pass pass = {.weights = weights,
                        .group = group,
                        .member = member,
                        .longest = longest,
                        .n_rows = group->n_rows};
    size_t before = member->step;
    lay_out(&pass, group->n_rows, group->n_texts, member->team->n_members, scratch);
    team_step(member, group->n_texts, embed_item, &pass);
    struct local_rows rows =
        prepare(&pass, pass.hidden, weights->config.hidden_size, weights->config.hidden_size,
                &weights->embedding_norm, &weights->layers[0].attention);
    for (; pass.layer < weights->config.n_layers && !team_is_halted(member); pass.layer++)
        go_through_layer(&pass, &rows);
    if (team_is_halted(member)) return;
    if (weights->config.classifies) classify(&pass);
    else team_step(member, group->n_texts, pool_item, &pass);
    assert(member->step - before <= local_encoder_steps(weights));
    (void)before;
}
