#include "sqlite/argument.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "text/blank.h"
#include "text/utf8.h"
#include "vector/codec.h"

static int is_json_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int begins_array(struct span json)
{
    size_t i = 0;
    while (i < json.size && is_json_space(json.data[i])) i++;
    return i < json.size && json.data[i] == '[';
}

int argument_hint_blob(struct error *err)
{
    if (err == NULL) return ERROR_INVALID;
    struct error told = *err;
    return error_set(err, told.code, "%s (is it the bytes of a vector? bind a BLOB)", told.text);
}

int argument_vector(sqlite3_value *value, struct argument_vector *vector, struct error *err)
{
    *vector = (struct argument_vector){0};
    int type = sqlite3_value_type(value);
    if (type == SQLITE_TEXT) {
        const char *text = (const char *)sqlite3_value_text(value);
        if (text == NULL) return error_nomem(err);
        struct span json = {text, (size_t)sqlite3_value_bytes(value)};
        int rc = vector_parse_json(json, &vector->owned, &vector->dimensions, err);
        vector->data = vector->owned;
        return rc == ERROR_INVALID && !begins_array(json) ? argument_hint_blob(err) : rc;
    }
    if (type != SQLITE_BLOB) {
        const char *name = type == SQLITE_NULL      ? "NULL"
                           : type == SQLITE_INTEGER ? "an integer"
                                                    : "a real number";
        return error_set(err, ERROR_INVALID,
                         "expected a vector (a blob of float32, or a JSON array), not %s", name);
    }
    const void *bytes = sqlite3_value_blob(value);
    size_t size = (size_t)sqlite3_value_bytes(value);
    int rc = vector_check(bytes, size, &vector->dimensions, err);
    if (rc != 0) return rc;
    vector->data = bytes;
    if ((uintptr_t)bytes % _Alignof(float) == 0) return 0;
    vector->owned = memory_alloc(vector->dimensions, sizeof *vector->owned);
    if (vector->owned == NULL) return error_nomem(err);
    memcpy(vector->owned, bytes, size);
    vector->data = vector->owned;
    return 0;
}

void argument_vector_deinit(struct argument_vector *vector)
{
    memory_free(vector->owned);
    vector->owned = NULL;
}

int argument_is_json_array(sqlite3_value *value)
{
    static const char *const words[] = {"null", "true", "false", "NaN", "Infinity"};
    if (sqlite3_value_type(value) != SQLITE_TEXT) return 0;
    const char *text = (const char *)sqlite3_value_text(value);
    if (text == NULL) return 0;
    const char *end = text + strlen(text);
    while (is_json_space(*text)) text++;
    while (end > text && is_json_space(end[-1])) end--;
    if (*text != '[' || end[-1] != ']') return 0;
    for (text++; is_json_space(*text);) text++;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(text, words[i], strlen(words[i])) == 0) return 1;
    return strchr("+-.0123456789\"[]{", *text) != NULL;
}

int argument_text(sqlite3_value *value, struct span *text, struct error *err)
{
    int type = sqlite3_value_type(value);
    if (type == SQLITE_BLOB) return error_set(err, ERROR_INVALID, "expected text, not a blob");
    if (type == SQLITE_NULL) return error_set(err, ERROR_INVALID, "expected text, not NULL");
    text->data = (const char *)sqlite3_value_text(value);
    text->size = (size_t)sqlite3_value_bytes(value);
    return text->data == NULL ? error_nomem(err) : 0;
}

int argument_query(sqlite3_value *value, struct span *text, char **owned, struct error *err)
{
    *text = (struct span){NULL, 0};
    *owned = NULL;
    if (sqlite3_value_type(value) == SQLITE_NULL) return 0;
    int rc = argument_text(value, text, err);
    if (rc != 0) return rc;
    if (!utf8_check(*text, NULL) || memchr(text->data, '\0', text->size) != NULL) {
        *owned = memory_alloc(text->size, 1);
        if (*owned == NULL) return error_nomem(err);
        utf8_repair(*text, *owned);
        text->data = *owned;
    }
    if (text_is_invisible(*text)) *text = (struct span){NULL, 0};
    return 0;
}

int argument_optional_text(sqlite3_value *value, const char **text, struct error *err)
{
    struct span span;
    *text = NULL;
    if (value == NULL || sqlite3_value_type(value) == SQLITE_NULL) return 0;
    int rc = argument_text(value, &span, err);
    if (rc == 0) *text = span.data;
    return rc;
}

/* ---- integers -------------------------------------------------------------------------------- */

/* How an argument is a whole number: not, within 64 bits, or beyond them and cut to their ends. */
enum whole { WHOLE_NOT, WHOLE_EXACT, WHOLE_CUT };

static enum whole whole_real(double real, int64_t *n)
{
    const double limit = 9223372036854775808.0; /* 2^63 */
    if (!(real == floor(real))) return WHOLE_NOT;
    if (real >= -limit && real < limit) {
        *n = (int64_t)real;
        return WHOLE_EXACT;
    }
    *n = real < 0 ? INT64_MIN : INT64_MAX;
    return WHOLE_CUT;
}

/* *n = 10 * *n + digit, towards the sign. */
static enum whole add_digit(int64_t *n, int digit, int is_negative)
{
    int is_cut = is_negative ? *n < (INT64_MIN + digit) / 10 : *n > (INT64_MAX - digit) / 10;
    if (is_cut) *n = is_negative ? INT64_MIN : INT64_MAX;
    else *n = *n * 10 + (is_negative ? -digit : digit);
    return is_cut ? WHOLE_CUT : WHOLE_EXACT;
}

static const char *skip_spaces(const char *at)
{
    while (*at == ' ' || (*at >= '\t' && *at <= '\r')) at++;
    return at;
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits [n_digits], of which n_whole stand before the point, times ten to the exponent. */
struct decimal {
    const char *digits;
    int is_negative;
    long n_whole, n_digits, exponent;
};

/* Moves *at past the exponent, if one is there. */
static int read_exponent(const char **at, long *exponent)
{
    *exponent = 0;
    if (**at != 'e' && **at != 'E') return 1;
    int is_negative = *++*at == '-';
    if (**at == '-' || **at == '+') ++*at;
    if (!is_digit(**at)) return 0;
    for (; is_digit(**at); ++*at)
        if (*exponent < 10000) *exponent = *exponent * 10 + (**at - '0');
    if (is_negative) *exponent = -*exponent;
    return 1;
}

/* What SQLite takes for a number in a text: spaces around it, a sign, digits, point, exponent. */
static int read_decimal(const char *at, struct decimal *decimal)
{
    at = skip_spaces(at);
    decimal->is_negative = *at == '-';
    if (*at == '-' || *at == '+') at++;
    decimal->digits = at;
    while (is_digit(*at)) at++;
    decimal->n_whole = decimal->n_digits = (long)(at - decimal->digits);
    if (*at == '.')
        for (at++; is_digit(*at); at++) decimal->n_digits++;
    return decimal->n_digits > 0 && read_exponent(&at, &decimal->exponent) &&
           *skip_spaces(at) == '\0';
}

/* Of a TEXT; behind a NUL nothing is a number, as in SQLite. */
static int read_text(sqlite3_value *value, struct decimal *decimal)
{
    const char *text = (const char *)sqlite3_value_text(value);
    return text != NULL && strlen(text) == (size_t)sqlite3_value_bytes(value) &&
           read_decimal(text, decimal);
}

static enum whole whole_text(sqlite3_value *value, int64_t *n)
{
    struct decimal decimal;
    enum whole whole = WHOLE_EXACT;
    if (!read_text(value, &decimal)) return WHOLE_NOT;
    long point = decimal.n_whole + decimal.exponent;
    *n = 0;
    for (long i = 0; i < decimal.n_digits || i < point; i++) {
        int digit = i >= decimal.n_digits ? 0 : decimal.digits[i + (i >= decimal.n_whole)] - '0';
        if (i >= point && digit != 0) return WHOLE_NOT;
        if (i < point && whole == WHOLE_EXACT) whole = add_digit(n, digit, decimal.is_negative);
    }
    return whole;
}

/* Not by sqlite3_value_numeric_type: of a value that sqlite3_value_dup made it reads a NULL
 * database in SQLite 3.53. */
static enum whole whole(sqlite3_value *value, int64_t *n)
{
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        *n = sqlite3_value_int64(value);
        return WHOLE_EXACT;
    case SQLITE_FLOAT:
        return whole_real(sqlite3_value_double(value), n);
    case SQLITE_TEXT:
        return whole_text(value, n);
    default:
        return WHOLE_NOT;
    }
}

int argument_integer(sqlite3_value *value, int64_t *n)
{
    return whole(value, n) == WHOLE_EXACT;
}

int argument_number(sqlite3_value *value, double *x)
{
    int type = sqlite3_value_type(value);
    struct decimal decimal;
    if (type == SQLITE_TEXT) {
        if (!read_text(value, &decimal)) return 0;
    } else if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) {
        return 0;
    }
    *x = sqlite3_value_double(value);
    return 1;
}

/* What was given where an integer was expected, in words or in its own; NULL: out of memory. */
static const char *given(sqlite3_value *value)
{
    int type = sqlite3_value_type(value);
    return type == SQLITE_NULL   ? "NULL"
           : type == SQLITE_BLOB ? "a blob"
                                 : (const char *)sqlite3_value_text(value);
}

int argument_count(sqlite3_value *value, const char *name, size_t min, size_t max, size_t *count,
                   struct error *err)
{
    int64_t n;
    if (whole(value, &n) != WHOLE_NOT && n >= 0 && (uint64_t)n >= min &&
        (max == SIZE_MAX || (uint64_t)n <= max)) {
        *count = (uint64_t)n < SIZE_MAX ? (size_t)n : SIZE_MAX;
        return 0;
    }
    const char *text = given(value);
    if (text == NULL) return error_nomem(err);
    return max == SIZE_MAX
               ? error_set(err, ERROR_INVALID, "%s must be an integer of %zu or more, not %.40s",
                           name, min, text)
               : error_set(err, ERROR_INVALID, "%s must be an integer from %zu to %zu", name, min,
                           max);
}

int argument_optional_count(sqlite3_value *value, const char *name, size_t min, size_t max,
                            size_t *count, struct error *err)
{
    if (value == NULL || sqlite3_value_type(value) == SQLITE_NULL) return 0;
    return argument_count(value, name, min, max, count, err);
}
