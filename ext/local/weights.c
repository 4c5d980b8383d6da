#include "local/weights.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/pages.h"
#include "base/workers.h"
#include "local/matrix.h"
#include "local/safetensors.h"
#include "local/team.h"

#define NAME_SIZE 160
#define PIECE ((size_t)1 << 20) /* floats that a thread reads at a time */

/* A piece of a tensor, and where it goes: to floats, or packed into a matrix. */
struct piece {
    const struct tensor *tensor, *bias; /* bias: of a matrix */
    struct local_matrix *matrix;        /* NULL: floats */
    float *floats;
    size_t first, n; /* elements; of a matrix: rows of the tensor */
    size_t column;   /* of the matrix that row 0 of the tensor becomes */
};

/* A plan is made twice: without memory to learn how much is needed and whether the tensors are
 * there, then with it. */
struct plan {
    struct local_weights *weights;
    const struct safetensors *file;
    const char *prefix;
    size_t used; /* bytes of the memory */
    struct piece *pieces;
    size_t n_pieces, capacity;
    struct error *err;
    int rc; /* once set, all below do nothing */
};

/* ---- tensors --------------------------------------------------------------------------------- */

static const char *shape_text(const size_t *shape, size_t n, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < n && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%zu", i == 0 ? "" : ", ", shape[i]);
    return out;
}

static void check_tensor(struct plan *plan, const struct tensor *tensor, size_t n_rows, size_t n)
{
    size_t wanted[2] = {n_rows, n};
    size_t n_dimensions = n_rows == 0 ? 1 : 2;
    const size_t *shape = n_rows == 0 ? wanted + 1 : wanted;
    char got_text[100], wanted_text[60];
    if (tensor->type == TENSOR_OTHER)
        plan->rc = error_set(plan->err, ERROR_CORRUPT,
                             "tensor %.100s is of type %.20s, expected F32, F16 or BF16",
                             tensor->name, tensor->type_name);
    else if (tensor->n_dimensions != n_dimensions ||
             memcmp(tensor->shape, shape, n_dimensions * sizeof *shape) != 0)
        plan->rc = error_set(
            plan->err, ERROR_CORRUPT,
            "tensor %.100s has the shape [%s], expected [%s] as config.json says", tensor->name,
            shape_text(tensor->shape, tensor->n_dimensions, got_text, sizeof got_text),
            shape_text(shape, n_dimensions, wanted_text, sizeof wanted_text));
}

static const struct tensor *look_up(const struct plan *plan, const char *name)
{
    char full_name[NAME_SIZE];
    snprintf(full_name, sizeof full_name, "%s%s", plan->prefix, name);
    return safetensors_find(plan->file, full_name);
}

/* The tensor of that name [n_rows, n], or [n] with n_rows 0. NULL after an error. */
static const struct tensor *find(struct plan *plan, const char *name, size_t n_rows, size_t n)
{
    if (plan->rc != 0) return NULL;
    const struct tensor *tensor = look_up(plan, name);
    if (tensor == NULL)
        plan->rc = error_set(plan->err, ERROR_UNAVAILABLE, "model.safetensors has no tensor %s%s",
                             plan->prefix, name);
    else check_tensor(plan, tensor, n_rows, n);
    return plan->rc == 0 ? tensor : NULL;
}

/* What the names of an encoder's tensors begin with. */
static void find_prefix(struct plan *plan)
{
    static const char *const prefixes[] = {"", "bert.", "roberta."};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        plan->prefix = prefixes[i];
        if (look_up(plan, "embeddings.word_embeddings.weight") != NULL) return;
    }
    plan->prefix = "";
}

/* ---- planning -------------------------------------------------------------------------------- */

static void *reserve(struct plan *plan, size_t bytes)
{
    unsigned char *memory = plan->weights->memory;
    void *at = memory == NULL ? NULL : memory + plan->used;
    plan->used += (bytes + 63) / 64 * 64;
    return at;
}

static void add_piece(struct plan *plan, const struct piece *piece)
{
    if (plan->rc != 0) return;
    if (plan->n_pieces == plan->capacity) {
        size_t capacity = plan->capacity == 0 ? 256 : 2 * plan->capacity;
        struct piece *grown = memory_realloc(plan->pieces, capacity, sizeof *grown);
        if (grown == NULL) {
            plan->rc = error_nomem(plan->err);
            return;
        }
        plan->pieces = grown;
        plan->capacity = capacity;
    }
    plan->pieces[plan->n_pieces++] = *piece;
}

/* A tensor that stays as it is. */
static const float *plan_floats(struct plan *plan, const char *name, size_t n_rows, size_t n)
{
    const struct tensor *tensor = find(plan, name, n_rows, n);
    if (tensor == NULL) return NULL;
    size_t total = (size_t)tensor->n_elements;
    float *floats = reserve(plan, total * sizeof *floats);
    for (size_t first = 0; floats != NULL && first < total; first += PIECE) {
        size_t left = total - first;
        add_piece(plan, &(struct piece){.tensor = tensor,
                                        .floats = floats + first,
                                        .first = first,
                                        .n = left < PIECE ? left : PIECE});
    }
    return floats;
}

static struct local_norm plan_norm(struct plan *plan, const char *name)
{
    char full[2][NAME_SIZE];
    size_t n = plan->weights->config.hidden_size;
    snprintf(full[0], sizeof full[0], "%s.gamma", name);
    int is_old = look_up(plan, full[0]) != NULL;
    snprintf(full[0], sizeof full[0], "%s.%s", name, is_old ? "gamma" : "weight");
    snprintf(full[1], sizeof full[1], "%s.%s", name, is_old ? "beta" : "bias");
    const float *weight = plan_floats(plan, full[0], 0, n);
    return (struct local_norm){weight, plan_floats(plan, full[1], 0, n)};
}

static void plan_matrix(struct plan *plan, struct local_matrix *matrix,
                        enum local_precision precision, size_t n_out, size_t n_in)
{
    const struct local_kernels *kernels = plan->weights->kernels;
    void *memory = reserve(plan, local_matrix_bytes(kernels, precision, n_out, n_in));
    if (memory != NULL) local_matrix_init(matrix, kernels, precision, n_out, n_in, memory);
}

/* The weights and the bias of one Linear, as columns of a matrix from `column` on. */
static void plan_linear(struct plan *plan, struct local_matrix *matrix, size_t column,
                        const char *name, const size_t shape[2])
{
    char full_name[NAME_SIZE];
    snprintf(full_name, sizeof full_name, "%s.weight", name);
    const struct tensor *tensor = find(plan, full_name, shape[0], shape[1]);
    snprintf(full_name, sizeof full_name, "%s.bias", name);
    const struct tensor *bias = find(plan, full_name, 0, shape[0]);
    if (bias == NULL || plan->weights->memory == NULL) return;
    size_t width = plan->weights->kernels->width, n_rows = PIECE / shape[1] / width * width;
    if (n_rows == 0) n_rows = width;
    for (size_t first = 0; first < shape[0]; first += n_rows) {
        size_t left = shape[0] - first;
        add_piece(plan, &(struct piece){.tensor = tensor,
                                        .bias = bias,
                                        .matrix = matrix,
                                        .first = first,
                                        .n = left < n_rows ? left : n_rows,
                                        .column = column});
    }
}

static void plan_layer(struct plan *plan, size_t number)
{
    const struct local_config *config = &plan->weights->config;
    enum local_precision precision = plan->weights->precision;
    struct local_layer *layer = &plan->weights->layers[number];
    size_t hidden = config->hidden_size, inner = config->intermediate_size;
    static const char *const parts[] = {"query", "key", "value"};
    char name[NAME_SIZE];
    plan_matrix(plan, &layer->attention, precision, 3 * hidden, hidden);
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "encoder.layer.%zu.attention.self.%s", number, parts[i]);
        plan_linear(plan, &layer->attention, i * hidden, name, (size_t[2]){hidden, hidden});
    }
    plan_matrix(plan, &layer->attention_output, precision, hidden, hidden);
    snprintf(name, sizeof name, "encoder.layer.%zu.attention.output.dense", number);
    plan_linear(plan, &layer->attention_output, 0, name, (size_t[2]){hidden, hidden});
    snprintf(name, sizeof name, "encoder.layer.%zu.attention.output.LayerNorm", number);
    layer->attention_norm = plan_norm(plan, name);
    plan_matrix(plan, &layer->intermediate, precision, inner, hidden);
    snprintf(name, sizeof name, "encoder.layer.%zu.intermediate.dense", number);
    plan_linear(plan, &layer->intermediate, 0, name, (size_t[2]){inner, hidden});
    plan_matrix(plan, &layer->output, precision, hidden, inner);
    snprintf(name, sizeof name, "encoder.layer.%zu.output.dense", number);
    plan_linear(plan, &layer->output, 0, name, (size_t[2]){hidden, inner});
    snprintf(name, sizeof name, "encoder.layer.%zu.output.LayerNorm", number);
    layer->output_norm = plan_norm(plan, name);
}

/* The pooler of BertModel lies in the encoder, the head of an XLM-RoBERTa classifier beside it. */
static void plan_classifier(struct plan *plan)
{
    struct local_weights *weights = plan->weights;
    size_t hidden = weights->config.hidden_size;
    int is_bert = weights->config.architecture == LOCAL_BERT;
    const char *prefix = plan->prefix;
    plan_matrix(plan, &weights->pooler, LOCAL_FLOAT32, hidden, hidden);
    plan_matrix(plan, &weights->classifier, LOCAL_FLOAT32, 1, hidden);
    if (!is_bert) plan->prefix = "";
    plan_linear(plan, &weights->pooler, 0, is_bert ? "pooler.dense" : "classifier.dense",
                (size_t[2]){hidden, hidden});
    plan->prefix = "";
    plan_linear(plan, &weights->classifier, 0, is_bert ? "classifier" : "classifier.out_proj",
                (size_t[2]){1, hidden});
    plan->prefix = prefix;
}

static void plan_encoder(struct plan *plan)
{
    struct local_weights *weights = plan->weights;
    const struct local_config *config = &weights->config;
    size_t hidden = config->hidden_size;
    find_prefix(plan);
    weights->words =
        plan_floats(plan, "embeddings.word_embeddings.weight", config->vocabulary_size, hidden);
    weights->positions =
        plan_floats(plan, "embeddings.position_embeddings.weight", config->n_positions, hidden);
    weights->segments =
        plan_floats(plan, "embeddings.token_type_embeddings.weight", config->n_segments, hidden);
    weights->embedding_norm = plan_norm(plan, "embeddings.LayerNorm");
    for (size_t i = 0; plan->rc == 0 && i < config->n_layers; i++) plan_layer(plan, i);
    if (config->classifies) plan_classifier(plan);
}

/* Model2Vec stores "embeddings", sentence-transformers' StaticEmbedding "embedding.weight". */
static void plan_static(struct plan *plan)
{
    struct local_config *config = &plan->weights->config;
    const char *name =
        look_up(plan, "embedding.weight") != NULL ? "embedding.weight" : "embeddings";
    const struct tensor *tensor = look_up(plan, name);
    if (look_up(plan, "mapping") != NULL) {
        plan->rc = error_set(plan->err, ERROR_UNAVAILABLE,
                             "model.safetensors has a tensor mapping: static vectors that tokens "
                             "share are not known here");
        return;
    }
    if (tensor != NULL && tensor->n_dimensions == 2) {
        config->vocabulary_size = tensor->shape[0];
        config->dimensions = tensor->shape[1];
    }
    plan->weights->words = plan_floats(plan, name, config->vocabulary_size, config->dimensions);
    if (look_up(plan, "weights") != NULL)
        plan->weights->importance = plan_floats(plan, "weights", 0, config->vocabulary_size);
}

static void plan_all(struct plan *plan)
{
    plan->used = 0;
    if (plan->weights->config.architecture == LOCAL_STATIC) plan_static(plan);
    else plan_encoder(plan);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct reading {
    struct plan *plan;
    float *buffers;     /* [n_threads, buffer_size] */
    size_t buffer_size; /* floats: a piece of a matrix, and its biases */
    struct halt halt;
    atomic_size_t next;
    atomic_flag has_failed; /* taken by the thread whose error counts */
    struct error *err;
    int rc;
};

#define EXPONENT 0x7F800000u /* all ones: infinite, or no number */

static int all_finite(const float *values, size_t n)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        bad |= (bits & EXPONENT) == EXPONENT;
    }
    return !bad;
}

static int read_piece(const struct reading *reading, const struct piece *piece, float *buffer,
                      struct error *err)
{
    const struct plan *plan = reading->plan;
    const struct local_kernels *kernels = plan->weights->kernels;
    struct local_matrix *matrix = piece->matrix;
    size_t n_in = matrix == NULL ? 1 : matrix->n_in, n = piece->n * n_in;
    float *values = matrix == NULL ? piece->floats : buffer, *biases = buffer + n;
    int rc = safetensors_read(plan->file, piece->tensor, piece->first * n_in, n, values, err);
    if (rc == 0 && matrix != NULL)
        rc = safetensors_read(plan->file, piece->bias, piece->first, piece->n, biases, err);
    if (rc != 0) return rc;
    if (!all_finite(values, n) || (matrix != NULL && !all_finite(biases, piece->n)))
        return error_set(err, ERROR_CORRUPT, "tensor %.100s holds a number that is not finite",
                         piece->tensor->name);
    if (matrix != NULL)
        local_matrix_pack(matrix, kernels, piece->column + piece->first, piece->n, values, biases);
    return 0;
}

static void read_pieces(void *context, size_t number)
{
    struct reading *reading = context;
    float *buffer = reading->buffers + number * reading->buffer_size;
    while (!halt_is_set(&reading->halt, number == 0)) {
        size_t i = atomic_fetch_add(&reading->next, 1);
        struct error err;
        if (i >= reading->plan->n_pieces) return;
        int rc = read_piece(reading, &reading->plan->pieces[i], buffer, &err);
        if (rc == 0) continue;
        if (!atomic_flag_test_and_set(&reading->has_failed)) {
            reading->rc = rc;
            if (reading->err != NULL) *reading->err = err;
        }
        atomic_store(&reading->halt.is_halted, 1);
    }
}

static int read_all(struct plan *plan, size_t n_threads, const struct cancel *cancel)
{
    struct reading reading = {.plan = plan, .has_failed = ATOMIC_FLAG_INIT, .err = plan->err};
    for (size_t i = 0; i < plan->n_pieces; i++) {
        const struct piece *piece = &plan->pieces[i];
        size_t wanted = piece->matrix == NULL ? 0 : piece->n * (piece->matrix->n_in + 1);
        if (wanted > reading.buffer_size) reading.buffer_size = wanted;
    }
    if (n_threads > WORKERS_MAX) n_threads = WORKERS_MAX;
    if (n_threads > plan->n_pieces) n_threads = plan->n_pieces;
    size_t bytes = n_threads * reading.buffer_size * sizeof *reading.buffers;
    if (bytes > 0 && (reading.buffers = pages_alloc(bytes)) == NULL) return error_nomem(plan->err);
    halt_init(&reading.halt, cancel);
    workers_run(n_threads, read_pieces, &reading);
    pages_free(reading.buffers, bytes);
    if (reading.rc != 0) return reading.rc;
    return atomic_load(&reading.halt.is_halted)
               ? error_set(plan->err, ERROR_INTERRUPTED, "interrupted")
               : 0;
}

static int make_room(struct local_weights *weights, size_t size, struct error *err)
{
    weights->memory = pages_alloc(size);
    if (weights->memory == NULL)
        return error_set(err, ERROR_NOMEM, "no %zu MB of memory for the weights", size >> 20);
    weights->size = size;
    return 0;
}

int local_weights_load(const char *folder, const struct local_config *config,
                       enum local_precision precision, size_t n_threads,
                       const struct cancel *cancel, struct local_weights **loaded,
                       struct error *err)
{
    struct safetensors *file = NULL;
    struct local_weights *weights = memory_zalloc(1, sizeof *weights);
    struct plan plan = {.weights = weights, .prefix = "", .err = err};
    *loaded = NULL;
    if (weights == NULL) return error_nomem(err);
    weights->config = *config;
    weights->kernels = local_kernels_chosen();
    weights->precision = precision;
    int rc = safetensors_open(folder, &file, err);
    if (rc == 0) {
        weights->layers = memory_zalloc(config->n_layers, sizeof *weights->layers);
        if (weights->layers == NULL) rc = error_nomem(err);
    }
    plan.file = file;
    if (rc == 0) {
        plan_all(&plan);
        rc = plan.rc;
    }
    if (rc == 0) rc = make_room(weights, plan.used, err);
    if (rc == 0) {
        plan_all(&plan);
        rc = plan.rc;
    }
    if (rc == 0) rc = read_all(&plan, n_threads, cancel);
    memory_free(plan.pieces);
    safetensors_close(file);
    if (rc == 0) *loaded = weights;
    else local_weights_free(weights);
    return rc;
}

void local_weights_free(struct local_weights *weights)
{
    if (weights == NULL) return;
    pages_free(weights->memory, weights->size);
    memory_free(weights->layers);
    memory_free(weights);
}
