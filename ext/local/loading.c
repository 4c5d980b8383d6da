#include "local/loading.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/pages.h"
#include "base/workers.h"
#include "local/matrix.h"
#include "local/safetensors.h"
#include "local/simd/gemm.h"
#include "local/team.h"

/* Numbers that a thread reads at a time. Hashes depend on where tensors are cut, and may not on the
 * processor's kernels: rows of a matrix are cut at multiples of the widest panel. */
#define PIECE ((size_t)1 << 20)

/* Floats that are looked at together: they stay in the first level cache. */
#define FLOATS_AT_ONCE ((size_t)4096)

/* Of fewer numbers, as a norm has, all are read and looked at: what is not finite there may not
 * show in the results. */
#define FEWEST_MAPPED ((size_t)1 << 14)

/* A piece of a tensor, and where it goes: to floats or integers, or packed into a matrix. */
struct piece {
    const struct tensor *tensor, *bias; /* bias: of a matrix; NULL: none */
    const float *mapped;                /* where it stays, if it does */
    struct local_matrix *matrix;        /* NULL: numbers as they are */
    float *floats;                      /* [n] */
    float *rows, *columns; /* [n_out], [n_in] the largest of these, and not the numbers */
    int64_t *integers;     /* [n] */
    size_t first, n;       /* elements; of a matrix, and of its largest: rows of the tensor */
    size_t column;         /* of the matrix that row 0 of the tensor becomes */
    uint64_t hash;         /* of what was read; of what is mapped not yet */
};

struct loading {
    struct safetensors *file;
    const struct local_kernels *kernels;
    const char *prefix;
    unsigned char *memory; /* NULL: not yet */
    size_t used;           /* bytes of it */
    uint64_t as_widest;    /* bytes of what is asked for, each number as the widest it becomes */
    struct piece *pieces;  /* [n_pieces] */
    size_t n_pieces, capacity;
    int has_mapped;
    int is_hashing; /* what is mapped is hashed, and nothing read */
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

enum numbers { FLOATS, FLOATS_OR_CODES, INTEGERS };

static int is_type(const struct tensor *tensor, enum numbers numbers)
{
    if (numbers == INTEGERS) return tensor->type == TENSOR_INT32 || tensor->type == TENSOR_INT64;
    return tensor->type < TENSOR_INT8 ||
           (tensor->type == TENSOR_INT8 && numbers == FLOATS_OR_CODES);
}

static void check_tensor(struct loading *loading, const struct tensor *tensor, enum numbers numbers,
                         size_t n_rows, size_t n)
{
    static const char *const types[] = {[FLOATS] = "F32, F16, BF16 or F64",
                                        [FLOATS_OR_CODES] = "F32, F16, BF16, F64 or I8",
                                        [INTEGERS] = "I32 or I64"};
    size_t wanted[2] = {n_rows, n};
    size_t n_dimensions = n_rows == 0 ? 1 : 2;
    const size_t *shape = n_rows == 0 ? wanted + 1 : wanted;
    char got_text[100], wanted_text[60];
    if (!is_type(tensor, numbers))
        loading->rc =
            error_set(loading->err, ERROR_CORRUPT, "tensor %.100s is of type %.30s, expected %s",
                      tensor->name, tensor->type_name, types[numbers]);
    else if (tensor->n_dimensions != n_dimensions ||
             memcmp(tensor->shape, shape, n_dimensions * sizeof *shape) != 0)
        loading->rc = error_set(
            loading->err, ERROR_CORRUPT,
            "tensor %.100s has the shape [%s], expected [%s] as config.json says", tensor->name,
            shape_text(tensor->shape, tensor->n_dimensions, got_text, sizeof got_text),
            shape_text(shape, n_dimensions, wanted_text, sizeof wanted_text));
    else if (tensor->n_elements == 0)
        loading->rc =
            error_set(loading->err, ERROR_CORRUPT, "tensor %.100s has no numbers", tensor->name);
}

static int lacks_memory(struct loading *loading, uint64_t bytes)
{
    return error_set(loading->err, ERROR_NOMEM, "no %" PRIu64 " MB of memory for the weights",
                     bytes >> 20);
}

/* What is reserved for all that a plan asks for is counted in a size_t, which may have 32 bits. */
static void check_room(struct loading *loading, const struct tensor *tensor, enum numbers numbers)
{
    loading->as_widest +=
        tensor->n_elements * (numbers == INTEGERS ? sizeof(int64_t) : sizeof(float));
    if (loading->as_widest > SIZE_MAX - SIZE_MAX / 8)
        loading->rc = lacks_memory(loading, loading->as_widest);
}

static const struct tensor *look_up(const struct loading *loading, const char *name)
{
    char full_name[LOADING_NAME];
    snprintf(full_name, sizeof full_name, "%s%s", loading->prefix, name);
    return safetensors_find(loading->file, full_name);
}

/* The tensor of that name [n_rows, n], or [n] with n_rows 0. NULL after an error. */
static const struct tensor *find(struct loading *loading, const char *name, enum numbers numbers,
                                 size_t n_rows, size_t n)
{
    if (loading->rc != 0) return NULL;
    const struct tensor *tensor = look_up(loading, name);
    if (tensor == NULL)
        loading->rc = error_set(loading->err, ERROR_UNAVAILABLE,
                                "model.safetensors has no tensor %s%s", loading->prefix, name);
    else check_tensor(loading, tensor, numbers, n_rows, n);
    if (loading->rc == 0) check_room(loading, tensor, numbers);
    return loading->rc == 0 ? tensor : NULL;
}

int loading_has_failed(const struct loading *loading)
{
    return loading->rc != 0;
}

void loading_set_prefix(struct loading *loading, const char *prefix)
{
    loading->prefix = prefix;
}

int loading_has(const struct loading *loading, const char *name)
{
    return look_up(loading, name) != NULL;
}

int loading_shape(const struct loading *loading, const char *name, size_t shape[2])
{
    const struct tensor *tensor = look_up(loading, name);
    if (tensor == NULL || tensor->n_dimensions != 2) return 0;
    memcpy(shape, tensor->shape, 2 * sizeof *shape);
    return 1;
}

size_t loading_length(const struct loading *loading, const char *name)
{
    const struct tensor *tensor = look_up(loading, name);
    return tensor == NULL || tensor->n_dimensions != 1 ? 0 : tensor->shape[0];
}

/* ---- planning -------------------------------------------------------------------------------- */

void *loading_reserve(struct loading *loading, size_t bytes)
{
    unsigned char *memory = loading->memory;
    void *at = memory == NULL ? NULL : memory + loading->used;
    loading->used += (bytes + 63) / 64 * 64;
    return at;
}

static void add_piece(struct loading *loading, const struct piece *piece)
{
    if (loading->rc != 0) return;
    if (loading->n_pieces == loading->capacity) {
        size_t capacity = loading->capacity == 0 ? 256 : 2 * loading->capacity;
        struct piece *grown = memory_realloc(loading->pieces, capacity, sizeof *grown);
        if (grown == NULL) {
            loading->rc = error_nomem(loading->err);
            return;
        }
        loading->pieces = grown;
        loading->capacity = capacity;
    }
    loading->pieces[loading->n_pieces++] = *piece;
}

static const float *plan_floats(struct loading *loading, const char *name, enum numbers numbers,
                                size_t n_rows, size_t n)
{
    const struct tensor *tensor = find(loading, name, numbers, n_rows, n);
    if (tensor == NULL) return NULL;
    size_t total = (size_t)tensor->n_elements;
    const float *mapped = total < FEWEST_MAPPED ? NULL : safetensors_mapped(loading->file, tensor);
    float *floats = mapped == NULL ? loading_reserve(loading, total * sizeof *floats) : NULL;
    loading->has_mapped |= mapped != NULL;
    for (size_t first = 0; loading->memory != NULL && first < total; first += PIECE) {
        size_t left = total - first;
        add_piece(loading, &(struct piece){.tensor = tensor,
                                           .mapped = mapped == NULL ? NULL : mapped + first,
                                           .floats = floats == NULL ? NULL : floats + first,
                                           .first = first,
                                           .n = left < PIECE ? left : PIECE});
    }
    return loading->memory == NULL ? NULL : mapped == NULL ? floats : mapped;
}

const float *loading_floats(struct loading *loading, const char *name, size_t n_rows, size_t n)
{
    return plan_floats(loading, name, FLOATS, n_rows, n);
}

const float *loading_codes(struct loading *loading, const char *name, size_t n_rows, size_t n)
{
    return plan_floats(loading, name, FLOATS_OR_CODES, n_rows, n);
}

/* Rows of a matrix that are read at a time. */
static size_t rows_of_piece(size_t n_in)
{
    size_t n_rows = PIECE / n_in / GEMM_WIDTH * GEMM_WIDTH;
    return n_rows == 0 ? GEMM_WIDTH : n_rows;
}

struct loading_largest loading_largest(struct loading *loading, const char *name, size_t n_out,
                                       size_t n_in)
{
    const struct tensor *tensor = find(loading, name, FLOATS, n_out, n_in);
    size_t n_rows = rows_of_piece(n_in);
    struct loading_largest largest = {.n_parts = (n_out + n_rows - 1) / n_rows};
    if (tensor == NULL) return largest;
    largest.rows = loading_reserve(loading, n_out * sizeof *largest.rows);
    largest.columns = loading_reserve(loading, largest.n_parts * n_in * sizeof *largest.columns);
    for (size_t first = 0; loading->memory != NULL && first < n_out; first += n_rows) {
        size_t left = n_out - first;
        add_piece(loading, &(struct piece){.tensor = tensor,
                                           .rows = largest.rows,
                                           .columns = largest.columns + first / n_rows * n_in,
                                           .first = first,
                                           .n = left < n_rows ? left : n_rows});
    }
    return largest;
}

const int64_t *loading_integers(struct loading *loading, const char *name, size_t n)
{
    const struct tensor *tensor = find(loading, name, INTEGERS, 0, n);
    if (tensor == NULL) return NULL;
    int64_t *integers = loading_reserve(loading, n * sizeof *integers);
    for (size_t first = 0; integers != NULL && first < n; first += PIECE)
        add_piece(loading, &(struct piece){.tensor = tensor,
                                           .integers = integers + first,
                                           .first = first,
                                           .n = n - first < PIECE ? n - first : PIECE});
    return integers;
}

/* ---- matrices -------------------------------------------------------------------------------- */

/* What a matrix is made of. */
struct linears {
    const struct tensor *weights[LOCAL_PARTS], *biases[LOCAL_PARTS]; /* NULL: none */
    const float *mapped[LOCAL_PARTS];
    int is_mapped; /* all of them */
};

static void find_linears(struct loading *loading, const struct loading_linears *asked,
                         struct linears *linears)
{
    *linears = (struct linears){.is_mapped = asked->precision == LOCAL_FLOAT32};
    for (size_t i = 0; i < asked->n_names && loading->rc == 0; i++) {
        char name[LOADING_NAME];
        snprintf(name, sizeof name, "%s.weight", asked->names[i]);
        linears->weights[i] = find(loading, name, FLOATS, asked->n_out, asked->n_in);
        snprintf(name, sizeof name, "%s.bias", asked->names[i]);
        if (!asked->has_no_bias) linears->biases[i] = find(loading, name, FLOATS, 0, asked->n_out);
        if (loading->rc != 0 || !linears->is_mapped) continue;
        linears->mapped[i] = safetensors_mapped(loading->file, linears->weights[i]);
        linears->is_mapped = linears->mapped[i] != NULL;
    }
}

/* Of one part of a matrix. */
static void add_linear(struct loading *loading, const struct loading_linears *asked,
                       const struct linears *linears, size_t part, struct local_matrix *matrix)
{
    size_t n_rows = rows_of_piece(asked->n_in);
    const float *mapped = linears->is_mapped ? linears->mapped[part] : NULL;
    for (size_t first = 0; first < asked->n_out; first += n_rows) {
        size_t left = asked->n_out - first;
        add_piece(loading,
                  &(struct piece){.tensor = linears->weights[part],
                                  .bias = linears->biases[part],
                                  .mapped = mapped == NULL ? NULL : mapped + first * asked->n_in,
                                  .matrix = matrix,
                                  .first = first,
                                  .n = left < n_rows ? left : n_rows,
                                  .column = part * asked->n_out});
    }
}

void loading_matrix(struct loading *loading, const struct loading_linears *asked,
                    struct local_matrix *matrix)
{
    const struct local_kernels *kernels = loading->kernels;
    size_t n_out = asked->n_names * asked->n_out;
    struct linears linears;
    find_linears(loading, asked, &linears);
    if (loading->rc != 0) return;
    void *memory =
        loading_reserve(loading, linears.is_mapped ? local_matrix_bias_bytes(kernels, n_out)
                                                   : local_matrix_bytes(kernels, asked->precision,
                                                                        n_out, asked->n_in));
    loading->has_mapped |= linears.is_mapped;
    if (memory == NULL) return;
    if (linears.is_mapped)
        local_matrix_init_mapped(matrix, kernels, linears.mapped, asked->n_names, asked->n_out,
                                 asked->n_in, memory);
    else local_matrix_init(matrix, kernels, asked->precision, n_out, asked->n_in, memory);
    matrix->wide = asked->wide;
    for (size_t i = 0; i < asked->n_names; i++) add_linear(loading, asked, &linears, i, matrix);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct reading {
    struct loading *loading;
    float *buffers;     /* [n_threads, buffer_size] */
    size_t buffer_size; /* floats: a piece of a matrix */
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

static int not_finite(const struct tensor *tensor, struct error *err)
{
    return error_set(err, ERROR_CORRUPT, "tensor %.100s holds a number that is not finite",
                     tensor->name);
}

/* Adds the numbers to the hash, if all are finite. */
static int add_finite(struct hash *hash, const float *values, size_t n, const struct tensor *tensor,
                      struct error *err)
{
    for (size_t i = 0; i < n; i += FLOATS_AT_ONCE) {
        size_t count = n - i < FLOATS_AT_ONCE ? n - i : FLOATS_AT_ONCE;
        if (!all_finite(values + i, count)) return not_finite(tensor, err);
        hash_add(hash, values + i, count * sizeof *values);
    }
    return 0;
}

static int read_integers(const struct loading *loading, struct piece *piece, struct error *err)
{
    int rc = safetensors_read_integers(loading->file, piece->tensor, piece->first, piece->n,
                                       piece->integers, err);
    piece->hash = hash_bytes(piece->integers, piece->n * sizeof *piece->integers, 0);
    return rc;
}

static int read_floats(const struct loading *loading, struct piece *piece, struct error *err)
{
    struct hash hash;
    int rc =
        safetensors_read(loading->file, piece->tensor, piece->first, piece->n, piece->floats, err);
    hash_begin(&hash, 0);
    if (rc == 0) rc = add_finite(&hash, piece->floats, piece->n, piece->tensor, err);
    piece->hash = hash_end(&hash);
    return rc;
}

static int read_largest(const struct loading *loading, struct piece *piece, float *buffer,
                        struct error *err)
{
    size_t n_in = piece->tensor->shape[1];
    int rc = safetensors_read(loading->file, piece->tensor, piece->first * n_in, piece->n * n_in,
                              buffer, err);
    for (size_t r = 0; rc == 0 && r < piece->n; r++) {
        float of_row = 0.0f;
        for (size_t i = 0; i < n_in; i++) {
            float magnitude = fabsf(buffer[r * n_in + i]);
            of_row = magnitude > of_row ? magnitude : of_row;
            piece->columns[i] = magnitude > piece->columns[i] ? magnitude : piece->columns[i];
        }
        piece->rows[piece->first + r] = of_row;
    }
    return rc;
}

static float *biases_of(const struct piece *piece)
{
    return piece->matrix->bias + piece->column + piece->first;
}

/* Behind the weights, if there are any. */
static int read_biases(const struct loading *loading, struct piece *piece, struct hash *hash,
                       struct error *err)
{
    float *biases = biases_of(piece);
    if (piece->bias == NULL) return 0;
    int rc = safetensors_read(loading->file, piece->bias, piece->first, piece->n, biases, err);
    return rc == 0 ? add_finite(hash, biases, piece->n, piece->bias, err) : rc;
}

/* Weights go through the buffer. */
static int read_matrix(const struct loading *loading, struct piece *piece, float *buffer,
                       struct error *err)
{
    struct local_matrix *matrix = piece->matrix;
    size_t n = piece->n * matrix->n_in;
    struct hash hash;
    int rc =
        safetensors_read(loading->file, piece->tensor, piece->first * matrix->n_in, n, buffer, err);
    hash_begin(&hash, 0);
    if (rc == 0) rc = add_finite(&hash, buffer, n, piece->tensor, err);
    if (rc == 0) rc = read_biases(loading, piece, &hash, err);
    if (rc != 0) return rc;
    piece->hash = hash_end(&hash);
    local_matrix_pack(matrix, loading->kernels, piece->column + piece->first, piece->n, buffer);
    return 0;
}

static int hash_mapped(struct piece *piece, struct error *err)
{
    size_t n = piece->matrix == NULL ? piece->n : piece->n * piece->matrix->n_in;
    struct hash hash;
    hash_begin(&hash, 0);
    int rc = add_finite(&hash, piece->mapped, n, piece->tensor, err);
    if (rc == 0 && piece->bias != NULL)
        rc = add_finite(&hash, biases_of(piece), piece->n, piece->bias, err);
    piece->hash = hash_end(&hash);
    return rc;
}

static int read_piece(const struct loading *loading, struct piece *piece, float *buffer,
                      struct error *err)
{
    struct hash unused;
    if (loading->is_hashing) return piece->mapped == NULL ? 0 : hash_mapped(piece, err);
    hash_begin(&unused, 0);
    if (piece->mapped != NULL)
        return piece->matrix == NULL ? 0 : read_biases(loading, piece, &unused, err);
    if (piece->columns != NULL) return read_largest(loading, piece, buffer, err);
    if (piece->matrix != NULL) return read_matrix(loading, piece, buffer, err);
    if (piece->integers != NULL) return read_integers(loading, piece, err);
    return read_floats(loading, piece, err);
}

static void read_pieces(void *context, size_t number)
{
    struct reading *reading = context;
    float *buffer = reading->buffers + number * reading->buffer_size;
    while (!halt_is_set(&reading->halt, number == 0)) {
        size_t i = atomic_fetch_add(&reading->next, 1);
        struct error err;
        if (i >= reading->loading->n_pieces) return;
        int rc = read_piece(reading->loading, &reading->loading->pieces[i], buffer, &err);
        if (rc == 0) continue;
        if (!atomic_flag_test_and_set(&reading->has_failed)) {
            reading->rc = rc;
            if (reading->err != NULL) *reading->err = err;
        }
        atomic_store(&reading->halt.is_halted, 1);
    }
}

static int read_all(struct loading *loading, size_t n_threads, const struct cancel *cancel)
{
    struct reading reading = {
        .loading = loading, .has_failed = ATOMIC_FLAG_INIT, .err = loading->err};
    for (size_t i = 0; i < loading->n_pieces; i++) {
        const struct piece *piece = &loading->pieces[i];
        int is_buffered =
            piece->mapped == NULL && (piece->matrix != NULL || piece->columns != NULL);
        size_t wanted =
            is_buffered && !loading->is_hashing ? piece->n * piece->tensor->shape[1] : 0;
        if (wanted > reading.buffer_size) reading.buffer_size = wanted;
    }
    if (n_threads > WORKERS_MAX) n_threads = WORKERS_MAX;
    if (n_threads > loading->n_pieces) n_threads = loading->n_pieces;
    size_t bytes = n_threads * reading.buffer_size * sizeof *reading.buffers;
    if (bytes > 0 && (reading.buffers = pages_alloc(bytes)) == NULL)
        return error_nomem(loading->err);
    halt_init(&reading.halt, cancel);
    workers_run(n_threads, read_pieces, &reading);
    pages_free(reading.buffers, bytes);
    if (reading.rc != 0) return reading.rc;
    return atomic_load(&reading.halt.is_halted)
               ? error_set(loading->err, ERROR_INTERRUPTED, "interrupted")
               : 0;
}

static void plan_all(struct loading *loading, const struct loading_plan *plan)
{
    loading->used = 0;
    loading->as_widest = 0;
    loading->prefix = "";
    plan->plan(loading, plan->context);
}

static int make_room(struct loading *loading, struct loading_block *block)
{
    if (loading->used == 0) loading->used = 1; /* all is mapped; memory says that it is planned */
    block->memory = pages_alloc(loading->used);
    if (block->memory == NULL) return lacks_memory(loading, loading->used);
    block->size = loading->used;
    loading->memory = block->memory;
    return 0;
}

static uint64_t hash_pieces(const struct loading *loading)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < loading->n_pieces; i++)
        hash = hash_bytes(&loading->pieces[i].hash, sizeof loading->pieces[i].hash, hash);
    return hash;
}

int loading_run(const char *folder, const struct loading_plan *plan, size_t n_threads,
                const struct cancel *cancel, struct loading_block *block, struct error *err)
{
    struct safetensors *file = NULL;
    struct loading loading = {.kernels = plan->kernels, .err = err};
    *block = (struct loading_block){0};
    loading.rc = safetensors_open(folder, &file, err);
    loading.file = file;
    if (loading.rc == 0) plan_all(&loading, plan);
    if (loading.rc == 0) loading.rc = make_room(&loading, block);
    if (loading.rc == 0) plan_all(&loading, plan);
    int rc = loading.rc == 0 ? read_all(&loading, n_threads, cancel) : loading.rc;
    if (loading.has_mapped) {
        block->file = file;
        block->pieces = loading.pieces;
        block->n_pieces = loading.n_pieces;
    } else {
        atomic_init(&block->hash, hash_pieces(&loading));
        memory_free(loading.pieces);
        safetensors_close(file);
    }
    if (rc != 0) loading_block_free(block);
    return rc;
}

/* Others may do the same at the same time: each has pieces of its own. */
int loading_hash(struct loading_block *block, size_t n_threads, const struct cancel *cancel,
                 uint64_t *hash, struct error *err)
{
    struct loading loading = {
        .file = block->file, .n_pieces = block->n_pieces, .err = err, .is_hashing = 1};
    *hash = atomic_load(&block->hash);
    if (*hash != 0) return 0;
    loading.pieces = memory_alloc(block->n_pieces, sizeof *loading.pieces);
    if (loading.pieces == NULL) return error_nomem(err);
    memcpy(loading.pieces, block->pieces, block->n_pieces * sizeof *loading.pieces);
    int rc = read_all(&loading, n_threads, cancel);
    if (rc == 0) atomic_store(&block->hash, *hash = hash_pieces(&loading));
    memory_free(loading.pieces);
    return rc;
}

int loading_check(const struct loading_block *block, struct error *err)
{
    return block->file == NULL ? 0 : safetensors_check(block->file, err);
}

void loading_block_free(struct loading_block *block)
{
    safetensors_close(block->file);
    memory_free(block->pieces);
    pages_free(block->memory, block->size);
    *block = (struct loading_block){0};
}
