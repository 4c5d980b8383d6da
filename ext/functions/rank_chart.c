/*
 * rank_chart.c: rank_chart(label, before, after): an aggregate that draws how places changed.
 *
 * Each row is a label with its place before and after, numbered from 1; NULL where it had none. The
 * result is one SVG document: left all that had a place before, in the order of these, right those
 * that have one after, and a line from each old place to the new one. It follows the reader's light
 * or dark colours, and needs no font or file from elsewhere. Which order rows come in does not
 * matter. A row without any place is left out; without rows the result is NULL.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "functions/functions.h"
#include "sqlite/argument.h"
#include "sqlite/result.h"
#include "text/utf8.h"

#define MOST_ROWS 1000
#define MOST_PLACE 999999
#define MOST_BYTES ((size_t)1 << 24)

/* Of a label so many columns are shown, wide characters taking two, as far as there is room, which
 * there is not for as many capitals; each is at most 5 bytes as XML, and an ellipsis may follow. */
#define LABEL_COLUMNS 44
#define LABEL_SIZE (LABEL_COLUMNS * 5 + 4)
#define FIRST_WIDE 0x1100

/* Pixels: of the whole, of a row, where the first one is; where in a row text stands, and how much
 * of a label has room; where columns begin, or numbers end. */
enum {
    WIDTH = 900,
    ROW = 18,
    TOP = 48,
    BASELINE = 13,
    LABEL_WIDTH = 296,
    BEFORE = 52,
    BEFORE_LABEL = 60,
    LINE = 372,
    LINE_END = 508,
    AFTER = 552,
    AFTER_LABEL = 560,
    MOVED = 888
};

static const char function_name[] = "rank_chart";

struct chart_row {
    size_t before, after;   /* from 1; 0: none */
    size_t left, right;     /* among those that have such a place, from 0 */
    char label[LABEL_SIZE]; /* as XML */
};

struct chart {
    struct chart_row *rows; /* [n] owned */
    size_t n, capacity;
};

/* ---- rows ------------------------------------------------------------------------------------ */

/* What XML 1.0 has no place for becomes a space or U+FFFD. */
static size_t put_character(uint32_t character, char *out)
{
    if (character < 0x20 || (character >= 0x7F && character < 0xA0)) character = ' ';
    if (character == 0xFFFE || character == 0xFFFF) character = 0xFFFD;
    const char *entity = character == '&'   ? "&amp;"
                         : character == '<' ? "&lt;"
                         : character == '>' ? "&gt;"
                                            : NULL;
    if (entity == NULL) return utf8_put(character, out);
    memcpy(out, entity, strlen(entity));
    return strlen(entity);
}

static void write_label(struct span text, char label[LABEL_SIZE])
{
    const char *at = text.data, *end = text.size == 0 ? at : at + text.size;
    size_t columns = 0, size = 0;
    while (at != end) {
        uint32_t character = utf8_next(&at, end);
        columns += character < FIRST_WIDE ? 1 : 2;
        if (columns > LABEL_COLUMNS) break;
        size += put_character(character, label + size);
    }
    if (columns > LABEL_COLUMNS) size += utf8_put(0x2026, label + size);
    label[size] = '\0';
}

static int add_row(struct chart *chart, const struct chart_row *row, struct error *err)
{
    if (chart->n == MOST_ROWS)
        return error_set(err, ERROR_INVALID, "expected at most %d rows, LIMIT them", MOST_ROWS);
    if (chart->n == chart->capacity) {
        size_t capacity = chart->capacity == 0 ? 32 : 2 * chart->capacity;
        struct chart_row *grown = memory_realloc(chart->rows, capacity, sizeof *grown);
        if (grown == NULL) return error_nomem(err);
        chart->rows = grown;
        chart->capacity = capacity;
    }
    chart->rows[chart->n++] = *row;
    return 0;
}

static void chart_step(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct chart *chart = sqlite3_aggregate_context(context, sizeof *chart);
    struct chart_row row = {0};
    struct span label = {NULL, 0};
    struct error err;
    (void)argc;
    if (chart == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    int rc = argument_optional_count(argv[1], "before", 1, MOST_PLACE, &row.before, &err);
    if (rc == 0) rc = argument_optional_count(argv[2], "after", 1, MOST_PLACE, &row.after, &err);
    if (rc == 0 && sqlite3_value_type(argv[0]) != SQLITE_NULL)
        rc = argument_text(argv[0], &label, &err);
    if (rc == 0) write_label(label, row.label);
    if (rc == 0 && (row.before != 0 || row.after != 0)) rc = add_row(chart, &row, &err);
    if (rc != 0) result_error(context, function_name, &err);
}

/* ---- order ----------------------------------------------------------------------------------- */

/* Ascending, with 0, which is none, at the end. */
static int compare_places(size_t a, size_t b)
{
    return a - 1 < b - 1 ? -1 : a - 1 > b - 1;
}

static int compare_before(const void *a, const void *b)
{
    const struct chart_row *x = a, *y = b;
    int order = compare_places(x->before, y->before);
    if (order == 0) order = compare_places(x->after, y->after);
    return order != 0 ? order : strcmp(x->label, y->label);
}

static int compare_after(const void *a, const void *b)
{
    const struct chart_row *x = a, *y = b;
    int order = compare_places(x->after, y->after);
    return order != 0 ? order : compare_before(a, b);
}

/* Gives each row where it stands in both columns, whose lengths are *n_before and *n_after. */
static void arrange(struct chart *chart, size_t *n_before, size_t *n_after)
{
    *n_before = *n_after = 0;
    qsort(chart->rows, chart->n, sizeof *chart->rows, compare_before);
    for (size_t i = 0; i < chart->n && chart->rows[i].before != 0; i++)
        chart->rows[i].left = (*n_before)++;
    qsort(chart->rows, chart->n, sizeof *chart->rows, compare_after);
    for (size_t i = 0; i < chart->n && chart->rows[i].after != 0; i++)
        chart->rows[i].right = (*n_after)++;
}

/* ---- drawing --------------------------------------------------------------------------------- */

static const char style[] =
    "<style>\n"
    "  .page { fill: #ffffff; stroke: #d0d7de }  text { fill: #57606a }\n"
    "  .end { text-anchor: end }  .head, .label { fill: #1f2328 }  .head { font-weight: bold }\n"
    "  .line { fill: none; stroke: #8c959f; stroke-width: 1.5 }\n"
    "  .up .line { stroke: #0969da }  .up .moved { fill: #0969da }\n"
    "  .down .line { stroke: #bc4c00 }  .down .moved { fill: #bc4c00 }\n"
    "  .gone .label { fill: #8c959f }\n"
    "  @media (prefers-color-scheme: dark) {\n"
    "    .page { fill: #0d1117; stroke: #30363d }  text { fill: #9198a1 }\n"
    "    .head, .label { fill: #f0f6fc }  .gone .label { fill: #656c76 }\n"
    "    .up .line { stroke: #4493f8 }  .up .moved { fill: #4493f8 }\n"
    "    .down .line { stroke: #db6d28 }  .down .moved { fill: #db6d28 }\n"
    "  }\n"
    "</style>\n";

static int put_head(size_t n_before, size_t n_after, struct buffer *out, struct error *err)
{
    size_t height = TOP + (n_before > n_after ? n_before : n_after) * ROW;
    int rc = buffer_format(out, err,
                           "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %zu\" "
                           "font-family=\"sans-serif\" font-size=\"12\">\n"
                           "<title>%zu before, %zu after</title>\n",
                           WIDTH, height, n_before, n_after);
    if (rc == 0) rc = buffer_append(out, style, sizeof style - 1, err);
    return rc == 0 ? buffer_format(out, err,
                                   "<rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"%d\" "
                                   "height=\"%zu\" rx=\"8\"/>\n"
                                   "<text x=\"%d\" y=\"24\" class=\"head\">before</text>\n"
                                   "<text x=\"%d\" y=\"24\" class=\"head\">after</text>\n",
                                   WIDTH - 1, height - 1, BEFORE_LABEL, AFTER_LABEL)
                   : rc;
}

/* A number, which ends at x, and the label behind it, in a picture of its own: its edge cuts. */
static int put_entry(int x, int label_x, size_t y, size_t place, const char *label,
                     struct buffer *out, struct error *err)
{
    return buffer_format(out, err,
                         "  <text x=\"%d\" y=\"%zu\" class=\"end\">%zu</text>"
                         "<svg x=\"%d\" y=\"%zu\" width=\"%d\" height=\"%d\">"
                         "<text y=\"%d\" class=\"label\">%s</text></svg>\n",
                         x, y, place, label_x, y - BASELINE, LABEL_WIDTH, ROW, BASELINE, label);
}

static int put_line(size_t from, size_t to, struct buffer *out, struct error *err)
{
    const int middle = (LINE + LINE_END) / 2;
    return buffer_format(out, err, "  <path class=\"line\" d=\"M%d %zu C%d %zu %d %zu %d %zu\"/>\n",
                         LINE, from - 4, middle, from - 4, middle, to - 4, LINE_END, to - 4);
}

/* How far it went: up, down, or not at all; or that it is new. */
static int put_movement(const struct chart_row *row, size_t y, struct buffer *out,
                        struct error *err)
{
    int rc = buffer_format(out, err, "  <text x=\"%d\" y=\"%zu\" class=\"end moved\">", MOVED, y);
    if (rc != 0) return rc;
    if (row->before == 0) rc = buffer_format(out, err, "new");
    else if (row->before > row->after)
        rc = buffer_format(out, err, "\xE2\x96\xB2 %zu", row->before - row->after);
    else if (row->before < row->after)
        rc = buffer_format(out, err, "\xE2\x96\xBC %zu", row->after - row->before);
    else rc = buffer_format(out, err, "=");
    return rc == 0 ? buffer_format(out, err, "</text>\n") : rc;
}

static int put_row(const struct chart_row *row, struct buffer *out, struct error *err)
{
    size_t left = TOP + row->left * ROW, right = TOP + row->right * ROW;
    const char *way = row->after == 0            ? "gone"
                      : row->before == 0         ? "new"
                      : row->before > row->after ? "up"
                      : row->before < row->after ? "down"
                                                 : "same";
    int rc = buffer_format(out, err, "<g class=\"%s\">\n", way);
    if (rc == 0 && row->before != 0)
        rc = put_entry(BEFORE, BEFORE_LABEL, left, row->before, row->label, out, err);
    if (rc == 0 && row->before != 0 && row->after != 0) rc = put_line(left, right, out, err);
    if (rc == 0 && row->after != 0) {
        rc = put_entry(AFTER, AFTER_LABEL, right, row->after, row->label, out, err);
        if (rc == 0) rc = put_movement(row, right, out, err);
    }
    return rc == 0 ? buffer_format(out, err, "</g>\n") : rc;
}

static void chart_final(sqlite3_context *context)
{
    struct chart *chart = sqlite3_aggregate_context(context, 0);
    struct buffer out;
    struct error err;
    size_t n_before, n_after;
    if (chart == NULL || chart->n == 0) return;
    buffer_init(&out, MOST_BYTES);
    arrange(chart, &n_before, &n_after);
    int rc = put_head(n_before, n_after, &out, &err);
    for (size_t i = 0; rc == 0 && i < chart->n; i++) rc = put_row(&chart->rows[i], &out, &err);
    if (rc == 0) rc = buffer_format(&out, &err, "</svg>");
    if (rc == 0) sqlite3_result_text64(context, out.data, out.size, SQLITE_TRANSIENT, SQLITE_UTF8);
    else result_error(context, function_name, &err);
    buffer_deinit(&out);
    memory_free(chart->rows);
    *chart = (struct chart){0};
}

int rank_chart_register(struct connection *connection)
{
    return sqlite3_create_function_v2(connection->db, function_name, 3,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                      NULL, chart_step, chart_final, NULL);
}
