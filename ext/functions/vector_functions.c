#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "functions/functions.h"
#include "sqlite/argument.h"
#include "sqlite/result.h"
#include "vector/codec.h"
#include "vector/distance.h"

static const char *name_of(sqlite3_context *context)
{
    return sqlite3_user_data(context);
}

static void fail(sqlite3_context *context, const struct error *err)
{
    result_error(context, name_of(context), err);
}

static void release_vector(void *data)
{
    argument_vector_deinit(data);
    memory_free(data);
}

/* The i-th argument as a vector. JSON text that SQLite knows to be constant is parsed once a
 * statement. *scratch is where the vector goes otherwise; the caller deinits it. NULL after an
 * error was given. */
static const struct argument_vector *
vector_at(sqlite3_context *context, int i, sqlite3_value **argv, struct argument_vector *scratch)
{
    struct error err;
    if (sqlite3_value_type(argv[i]) == SQLITE_TEXT) {
        const struct argument_vector *known = sqlite3_get_auxdata(context, i);
        if (known != NULL) return known;
    }
    if (argument_vector(argv[i], scratch, &err) != 0) {
        fail(context, &err);
        return NULL;
    }
    if (sqlite3_value_type(argv[i]) != SQLITE_TEXT) return scratch;
    struct argument_vector *kept = memory_alloc(1, sizeof *kept);
    if (kept == NULL) return scratch;
    *kept = *scratch;
    *scratch = (struct argument_vector){0};
    sqlite3_set_auxdata(context, i, kept, release_vector);
    /* SQLite may have dropped it at once. */
    const struct argument_vector *back = sqlite3_get_auxdata(context, i);
    if (back != NULL) return back;
    return argument_vector(argv[i], scratch, &err) == 0 ? scratch : (fail(context, &err), NULL);
}

static void result_vector(sqlite3_context *context, const float *vector, size_t dimensions)
{
    sqlite3_result_blob64(context, vector, dimensions * sizeof *vector, SQLITE_TRANSIENT);
}

static int any_null(int argc, sqlite3_value **argv)
{
    for (int i = 0; i < argc; i++)
        if (sqlite3_value_type(argv[i]) == SQLITE_NULL) return 1;
    return 0;
}

/* Functions of one vector. */
typedef void (*unary)(sqlite3_context *, const struct argument_vector *);

static void with_vector(sqlite3_context *context, int argc, sqlite3_value **argv, unary function)
{
    struct argument_vector scratch = {0};
    if (any_null(argc, argv)) return;
    const struct argument_vector *vector = vector_at(context, 0, argv, &scratch);
    if (vector != NULL) function(context, vector);
    argument_vector_deinit(&scratch);
}

static void to_blob(sqlite3_context *context, const struct argument_vector *vector)
{
    result_vector(context, vector->data, vector->dimensions);
}

static void to_json(sqlite3_context *context, const struct argument_vector *vector)
{
    struct buffer json;
    struct error err;
    buffer_init(&json, (size_t)1 << 24);
    if (vector_format_json(vector->data, vector->dimensions, &json, &err) != 0) fail(context, &err);
    else sqlite3_result_text64(context, json.data, json.size, SQLITE_TRANSIENT, SQLITE_UTF8);
    buffer_deinit(&json);
}

static void dims(sqlite3_context *context, const struct argument_vector *vector)
{
    sqlite3_result_int64(context, (int64_t)vector->dimensions);
}

static void norm(sqlite3_context *context, const struct argument_vector *vector)
{
    sqlite3_result_double(context, vector_norm(vector->data, vector->dimensions));
}

static void normalize(sqlite3_context *context, const struct argument_vector *vector)
{
    struct error err;
    float *unit = memory_alloc(vector->dimensions, sizeof *unit);
    if (unit == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    if (vector_normalize(vector->data, vector->dimensions, unit)) {
        result_vector(context, unit, vector->dimensions);
    } else {
        error_set(&err, ERROR_INVALID, "the zero vector has no direction");
        fail(context, &err);
    }
    memory_free(unit);
}

#define UNARY(function)                                                                            \
    static void sql_##function(sqlite3_context *context, int argc, sqlite3_value **argv)           \
    {                                                                                              \
        with_vector(context, argc, argv, function);                                                \
    }

UNARY(to_blob)
UNARY(to_json)
UNARY(dims)
UNARY(norm)
UNARY(normalize)

/* The bytes of an argument that is likely a vector: a BLOB, or JSON that is parsed already; NULL:
 * nothing is known yet. */
static inline const void *bytes_at(sqlite3_context *context, int i, sqlite3_value *value, int *size)
{
    int type = sqlite3_value_type(value);
    if (type == SQLITE_BLOB) {
        *size = sqlite3_value_bytes(value);
        return sqlite3_value_blob(value);
    }
    const struct argument_vector *known =
        type == SQLITE_TEXT ? sqlite3_get_auxdata(context, i) : NULL;
    *size = known == NULL ? 0 : (int)(known->dimensions * sizeof *known->data);
    return known == NULL ? NULL : known->data;
}

/* Two that look like vectors of equal dimensions: how many, else 0. */
static inline size_t likely_pair(sqlite3_context *context, sqlite3_value **argv,
                                 const void *bytes[2])
{
    int size, other;
    bytes[0] = bytes_at(context, 0, argv[0], &size);
    bytes[1] = bytes_at(context, 1, argv[1], &other);
    if (bytes[0] == NULL || bytes[1] == NULL || size != other || size % (int)sizeof(float) != 0 ||
        size > VECTOR_MAX_DIMENSIONS * (int)sizeof(float))
        return 0;
    return (size_t)size / sizeof(float);
}

typedef double (*binary)(const void *, const void *, size_t);

/* Whatever the two are, in every way that a vector may be given, and checked. */
static void with_any_pair(sqlite3_context *context, int argc, sqlite3_value **argv, binary function)
{
    struct argument_vector scratch[2] = {{0}, {0}};
    if (any_null(argc, argv)) return;
    const struct argument_vector *a = vector_at(context, 0, argv, &scratch[0]);
    const struct argument_vector *b = a == NULL ? NULL : vector_at(context, 1, argv, &scratch[1]);
    if (b != NULL && a->dimensions != b->dimensions) {
        struct error err;
        error_set(&err, ERROR_INVALID, "expected %zu dimensions, not %zu", a->dimensions,
                  b->dimensions);
        fail(context, &err);
    } else if (b != NULL) {
        sqlite3_result_double(context, function(a->data, b->data, a->dimensions));
    }
    argument_vector_deinit(&scratch[0]);
    argument_vector_deinit(&scratch[1]);
}

/* Functions of two vectors of equal dimensions. NaN gives NULL. Two BLOBs, or one and JSON, are
 * what a scan of a table has: nothing of them is copied, and only their sizes are checked. A
 * component that is not finite makes the result infinite or NaN: only then are they looked at. */
static inline void with_pair(sqlite3_context *context, int argc, sqlite3_value **argv,
                             binary function)
{
    const void *bytes[2];
    size_t dimensions = likely_pair(context, argv, bytes);
    double value = dimensions == 0 ? INFINITY : function(bytes[0], bytes[1], dimensions);
    if (isfinite(value)) sqlite3_result_double(context, value);
    else with_any_pair(context, argc, argv, function);
}

static double distance(const void *a, const void *b, size_t dimensions)
{
    return sqrt(vector_squared_l2(a, b, dimensions));
}

static void cosine_sim(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    with_pair(context, argc, argv, vector_cosine);
}

static void dot_product(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    with_pair(context, argc, argv, vector_dot);
}

static void l2_distance(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    with_pair(context, argc, argv, distance);
}

/* hamming_distance(a, b): in how many bits two BLOBs of equal size differ. */
static void hamming_distance(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct error err;
    if (any_null(argc, argv)) return;
    int size = sqlite3_value_bytes(argv[0]), other = sqlite3_value_bytes(argv[1]);
    if (sqlite3_value_type(argv[0]) != SQLITE_BLOB || sqlite3_value_type(argv[1]) != SQLITE_BLOB)
        error_set(&err, ERROR_INVALID, "expected two blobs of bits");
    else if (size != other)
        error_set(&err, ERROR_INVALID, "expected %d bytes, not %d", size, other);
    else {
        sqlite3_result_int64(context,
                             (int64_t)vector_hamming(sqlite3_value_blob(argv[0]),
                                                     sqlite3_value_blob(argv[1]), (size_t)size));
        return;
    }
    fail(context, &err);
}

/* The centroid: sums in double. */
struct average {
    double *sums; /* [dimensions]; owned */
    size_t dimensions;
    int64_t n;
};

static void average_step(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct average *average = sqlite3_aggregate_context(context, sizeof *average);
    struct argument_vector vector = {0};
    struct error err;
    if (average == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    if (any_null(argc, argv)) return;
    int rc = argument_vector(argv[0], &vector, &err);
    if (rc == 0 && average->sums == NULL) {
        average->sums = memory_zalloc(vector.dimensions, sizeof *average->sums);
        average->dimensions = vector.dimensions;
        if (average->sums == NULL) rc = error_nomem(&err);
    }
    if (rc == 0 && vector.dimensions != average->dimensions)
        rc = error_set(&err, ERROR_INVALID, "expected %zu dimensions, not %zu", average->dimensions,
                       vector.dimensions);
    for (size_t i = 0; rc == 0 && i < vector.dimensions; i++)
        average->sums[i] += (double)vector.data[i];
    average->n += rc == 0;
    argument_vector_deinit(&vector);
    if (rc != 0) fail(context, &err);
}

static void average_final(sqlite3_context *context)
{
    struct average *average = sqlite3_aggregate_context(context, 0);
    if (average == NULL || average->sums == NULL) return;
    float *centroid = memory_alloc(average->dimensions, sizeof *centroid);
    for (size_t i = 0; centroid != NULL && i < average->dimensions; i++)
        centroid[i] = (float)(average->sums[i] / (double)average->n);
    if (centroid == NULL) sqlite3_result_error_nomem(context);
    else result_vector(context, centroid, average->dimensions);
    memory_free(centroid);
    memory_free(average->sums);
    average->sums = NULL;
}

int vector_functions_register(struct connection *connection)
{
    static const struct {
        const char *name;
        int n_arguments;
        void (*function)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {
        {"vector", 1, sql_to_blob},
        {"vector_to_json", 1, sql_to_json},
        {"vector_dims", 1, sql_dims},
        {"vector_norm", 1, sql_norm},
        {"vector_normalize", 1, sql_normalize},
        {"cosine_sim", 2, cosine_sim},
        {"dot_product", 2, dot_product},
        {"l2_distance", 2, l2_distance},
        {"hamming_distance", 2, hamming_distance},
    };
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof functions / sizeof *functions; i++)
        rc = sqlite3_create_function_v2(connection->db, functions[i].name, functions[i].n_arguments,
                                        flags, (void *)functions[i].name, functions[i].function,
                                        NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc =
            sqlite3_create_function_v2(connection->db, "vector_avg", 1, flags, (void *)"vector_avg",
                                       NULL, average_step, average_final, NULL);
    return rc;
}
