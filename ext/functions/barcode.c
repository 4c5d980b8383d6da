/*
 * barcode.c: vector_barcode(v [, 'svg']): how a vector looks.
 *
 * As text a line of bars, U+2581 to U+2588, at most 64: what is below the middle is negative, and
 * the largest component fills its bar, or leaves it empty but for an eighth. Of more than 64
 * dimensions a bar is the largest component, by magnitude, of those that it stands for.
 *
 * As SVG a strip a dimension: blue is negative, red positive, the deeper the larger.
 */
#include <math.h>

#include "functions/functions.h"
#include "sqlite/argument.h"
#include "sqlite/result.h"
#include "vector/codec.h"
#include "vector/decimal.h"

#define MOST_BARS 64
#define MOST_BYTES ((size_t)1 << 24)

static const char function_name[] = "vector_barcode";

/* Of the components from `from` to `to` that of the largest magnitude; the first of equal ones. */
static float largest(const float *components, size_t from, size_t to)
{
    float found = components[from];
    for (size_t i = from + 1; i < to; i++)
        if (fabsf(components[i]) > fabsf(found)) found = components[i];
    return found;
}

/* From -1 to 1, as a share of `most`. */
static double share(float component, float most)
{
    return most == 0.0f ? 0.0 : (double)component / (double)most;
}

/* ---- text ------------------------------------------------------------------------------------ */

static int put_bars(const struct argument_vector *vector, struct buffer *out, struct error *err)
{
    size_t dimensions = vector->dimensions;
    size_t n = dimensions < MOST_BARS ? dimensions : MOST_BARS;
    float most = fabsf(largest(vector->data, 0, dimensions));
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        float bar = largest(vector->data, i * dimensions / n, (i + 1) * dimensions / n);
        int eighths = (int)((share(bar, most) + 1.0) * 4.0);
        char block[] = "\xE2\x96\x81";
        block[2] = (char)(block[2] + (eighths < 8 ? eighths : 7));
        rc = buffer_append(out, block, 3, err);
    }
    return rc;
}

/* ---- SVG ------------------------------------------------------------------------------------- */

/* The ends and the middle of ColorBrewer's scale RdBu, which the colour-blind tell apart. */
static const int negative[3] = {0x21, 0x66, 0xAC}, middle = 0xF7, positive[3] = {0xB2, 0x18, 0x2B};

static int put_strip(size_t i, double value, struct buffer *out, struct error *err)
{
    const int *end = value < 0.0 ? negative : positive;
    unsigned colour[3];
    for (int c = 0; c < 3; c++)
        colour[c] = (unsigned)(middle + (int)lround(fabs(value) * (end[c] - middle)));
    return buffer_format(out, err,
                         "<rect x=\"%zu\" width=\"1\" height=\"1\" fill=\"#%02x%02x%02x\"/>\n", i,
                         colour[0], colour[1], colour[2]);
}

static int put_strips(const struct argument_vector *vector, struct buffer *out, struct error *err)
{
    size_t n = vector->dimensions;
    float least = vector->data[0], highest = vector->data[0];
    char from[VECTOR_DECIMAL_SIZE], to[VECTOR_DECIMAL_SIZE];
    for (size_t i = 1; i < n; i++) {
        if (vector->data[i] < least) least = vector->data[i];
        if (vector->data[i] > highest) highest = vector->data[i];
    }
    float most = fmaxf(fabsf(least), fabsf(highest));
    vector_decimal_format(least, from);
    vector_decimal_format(highest, to);
    int rc = buffer_format(out, err,
                           "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"768\" height=\"48\" "
                           "viewBox=\"0 0 %zu 1\" preserveAspectRatio=\"none\" "
                           "shape-rendering=\"crispEdges\">\n"
                           "<title>%zu dimension%s, from %s to %s</title>\n",
                           n, n, n == 1 ? "" : "s", from, to);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = put_strip(i, share(vector->data[i], most), out, err);
    return rc == 0 ? buffer_format(out, err, "</svg>") : rc;
}

/* ---- the function ---------------------------------------------------------------------------- */

static int check_form(sqlite3_value *value, struct error *err)
{
    const char *form;
    int rc = argument_optional_text(value, &form, err);
    if (rc != 0 || sqlite3_stricmp(form, "svg") == 0) return rc;
    return error_set(err, ERROR_INVALID, "expected 'svg' or no second argument, not '%.40s'", form);
}

static void barcode(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct argument_vector vector = {0};
    struct buffer out;
    struct error err;
    for (int i = 0; i < argc; i++)
        if (sqlite3_value_type(argv[i]) == SQLITE_NULL) return;
    buffer_init(&out, MOST_BYTES);
    int rc = argument_vector(argv[0], &vector, &err);
    if (rc == 0 && argc > 1) rc = check_form(argv[1], &err);
    if (rc == 0) rc = argc > 1 ? put_strips(&vector, &out, &err) : put_bars(&vector, &out, &err);
    if (rc == 0) sqlite3_result_text64(context, out.data, out.size, SQLITE_TRANSIENT, SQLITE_UTF8);
    else result_error(context, function_name, &err);
    buffer_deinit(&out);
    argument_vector_deinit(&vector);
}

int barcode_register(struct connection *connection)
{
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, rc = SQLITE_OK;
    for (int n = 1; rc == SQLITE_OK && n <= 2; n++)
        rc = sqlite3_create_function_v2(connection->db, function_name, n, flags, NULL, barcode,
                                        NULL, NULL, NULL);
    return rc;
}
