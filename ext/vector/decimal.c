#include "vector/decimal.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The middle of two neighbouring floats has at most 112 significant digits; of more digits than
 * this only matters whether one is not zero. */
#define DIGITS_MAX 128
#define EXPONENT_MAX 1000000000000000
#define LIMBS 24 /* the largest number compared, 25 + 578 + 104 bits, fits in 24 x 32 */

/* digit[0..n) as a whole number, times ten to the exponent. No leading zeros; n = 0 is zero. */
struct digits {
    unsigned char digit[DIGITS_MAX + 1];
    int n;
    int64_t exponent;
};

struct whole {
    uint32_t limb[LIMBS]; /* least significant first */
    int n;
};

static void whole_multiply_add(struct whole *whole, uint32_t factor, uint32_t carry)
{
    uint64_t rest = carry;
    for (int i = 0; i < whole->n; i++) {
        rest += (uint64_t)whole->limb[i] * factor;
        whole->limb[i] = (uint32_t)rest;
        rest >>= 32;
    }
    if (rest == 0) return;
    assert(whole->n < LIMBS);
    whole->limb[whole->n++] = (uint32_t)rest;
}

static void whole_scale(struct whole *whole, uint32_t base, int64_t power)
{
    for (; power > 0; power--) whole_multiply_add(whole, base, 0);
}

static int whole_compare(const struct whole *a, const struct whole *b)
{
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    for (int i = a->n - 1; i >= 0; i--)
        if (a->limb[i] != b->limb[i]) return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

/* The decimal against the middle of the positive floats with the bits b and b + 1: -1, 0 or 1. */
static int compare_with_middle(const struct digits *digits, uint32_t b)
{
    uint32_t biased = b >> 23, fraction = b & 0x7FFFFF;
    uint32_t mantissa = biased == 0 ? fraction : fraction | 0x800000;
    int binary_exponent = (biased == 0 ? 1 : (int)biased) - 150 - 1;
    struct whole decimal = {{0}, 0}, middle = {{0}, 0};
    for (int i = 0; i < digits->n; i++) whole_multiply_add(&decimal, 10, digits->digit[i]);
    whole_multiply_add(&middle, 1, 2 * mantissa + 1);
    whole_scale(&decimal, 10, digits->exponent);
    whole_scale(&middle, 10, -digits->exponent);
    whole_scale(&middle, 2, binary_exponent);
    whole_scale(&decimal, 2, -binary_exponent);
    return whole_compare(&decimal, &middle);
}

/* The nearest float, given one that is at most one step away. */
static float round_exactly(const struct digits *digits, float near)
{
    uint32_t b;
    memcpy(&b, &near, sizeof b);
    int above = compare_with_middle(digits, b);
    if (above > 0 || (above == 0 && (b & 1) != 0)) {
        b++;
    } else if (b != 0) {
        int below = compare_with_middle(digits, b - 1);
        if (below < 0 || (below == 0 && (b & 1) != 0)) b--;
    }
    memcpy(&near, &b, sizeof near);
    return near;
}

/* The decimal as a double, off by at most 8 units in the last place: 19 digits are kept (0.01
 * units), and the conversion and each of at most three scalings round once. */
static double approximate(const struct digits *digits)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t leading = 0;
    int used = digits->n < 19 ? digits->n : 19;
    for (int i = 0; i < used; i++) leading = leading * 10 + digits->digit[i];
    double value = (double)leading;
    int64_t exponent = digits->exponent + digits->n - used;
    for (; exponent > 22; exponent -= 22) value *= 1e22;
    for (; exponent < -22; exponent += 22) value /= 1e22;
    return exponent >= 0 ? value * powers[exponent] : value / powers[-exponent];
}

static float round_digits(const struct digits *digits)
{
    int64_t magnitude = digits->n + digits->exponent;   /* value < 10^magnitude */
    if (digits->n == 0 || magnitude < -45) return 0.0f; /* below half the least denormal, 7.0e-46 */
    if (magnitude > 39) return INFINITY;
    double value = approximate(digits);
    if (value >= (double)FLT_MAX) return round_exactly(digits, FLT_MAX);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int64_t to_middle =
        (int64_t)(bits & 0x1FFFFFFF) - 0x10000000; /* of the 29 bits that a float drops */
    if (value > 2 * (double)FLT_MIN && (to_middle > 16 || to_middle < -16)) return (float)value;
    return round_exactly(digits, (float)value);
}

static void add_digit(struct digits *digits, unsigned char digit)
{
    if (digits->n == 0 && digit == 0) return;
    if (digits->n < DIGITS_MAX) {
        digits->digit[digits->n++] = digit;
        return;
    }
    digits->exponent++;
    if (digit == 0 || digits->n > DIGITS_MAX) return;
    digits->digit[digits->n++] = 1; /* stands for all that follows */
    digits->exponent--;
}

static int is_digit(struct span text, size_t at)
{
    return at < text.size && text.data[at] >= '0' && text.data[at] <= '9';
}

static size_t scan_digits(struct span text, size_t at, struct digits *digits)
{
    for (; is_digit(text, at); at++) add_digit(digits, (unsigned char)(text.data[at] - '0'));
    return at;
}

/* "e-12" and the like at `at`; returns where it ends, `at` itself if there is none. */
static size_t scan_exponent(struct span text, size_t at, int64_t *exponent)
{
    size_t p = at;
    if (p >= text.size || (text.data[p] != 'e' && text.data[p] != 'E')) return at;
    p++;
    int negative = p < text.size && text.data[p] == '-';
    if (p < text.size && (text.data[p] == '-' || text.data[p] == '+')) p++;
    if (!is_digit(text, p)) return at;
    int64_t value = 0;
    for (; is_digit(text, p); p++)
        if (value < EXPONENT_MAX) value = value * 10 + (text.data[p] - '0');
    *exponent += negative ? -value : value;
    return p;
}

size_t vector_decimal_parse(struct span text, float *value)
{
    struct digits digits = {.n = 0, .exponent = 0};
    int negative = text.size > 0 && text.data[0] == '-';
    size_t at = negative ? 1 : 0;
    if (!is_digit(text, at)) return 0;
    if (text.data[at] == '0') at++; /* JSON has no number with more zeros in front */
    else at = scan_digits(text, at, &digits);
    if (at < text.size && text.data[at] == '.' && is_digit(text, at + 1)) {
        size_t point = at + 1;
        at = scan_digits(text, point, &digits);
        digits.exponent -= (int64_t)(at - point);
    }
    at = scan_exponent(text, at, &digits.exponent);
    float magnitude = round_digits(&digits);
    *value = negative ? -magnitude : magnitude;
    return at;
}

/* `count` significant digits of a positive value into `digits`; its decimal exponent. snprintf puts
 * the locale's decimal point, of any length, behind the first digit: whatever is no digit there is
 * skipped. */
static int significant_digits(float value, int count, char digits[10])
{
    char text[48];
    snprintf(text, sizeof text, "%.*e", count - 1, (double)value);
    int n = 0, exponent = 0;
    const char *p = text;
    for (; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9') digits[n++] = *p;
    int negative = *++p == '-';
    for (p++; *p != '\0'; p++) exponent = exponent * 10 + (*p - '0');
    while (n > 1 && digits[n - 1] == '0') n--;
    digits[n] = '\0';
    return negative ? -exponent : exponent;
}

/* Lays out d.ddd x 10^exponent: plain from 0.0001 to 999999999, else with an exponent. */
static size_t lay_out(const char *digits, int exponent, char *text, size_t room)
{
    int n = (int)strlen(digits), length;
    if (exponent < -4 || exponent > 8) {
        const char *point = n > 1 ? "." : "";
        length = snprintf(text, room, "%c%s%se%d", digits[0], point, digits + 1, exponent);
    } else if (exponent < 0) {
        length = snprintf(text, room, "0.%.*s%s", -exponent - 1, "000", digits);
    } else if (exponent >= n - 1) {
        length = snprintf(text, room, "%s%.*s", digits, exponent - n + 1, "00000000");
    } else {
        length = snprintf(text, room, "%.*s.%s", exponent + 1, digits, digits + exponent + 1);
    }
    return (size_t)length;
}

static size_t write_rounded(float value, int count, char text[VECTOR_DECIMAL_SIZE])
{
    char digits[10];
    size_t sign = value < 0.0f ? 1 : 0;
    int exponent = significant_digits(fabsf(value), count, digits);
    text[0] = '-';
    return sign + lay_out(digits, exponent, text + sign, VECTOR_DECIMAL_SIZE - sign);
}

static int reads_back(const char *text, size_t size, float value)
{
    float again;
    vector_decimal_parse((struct span){text, size}, &again);
    return memcmp(&again, &value, sizeof value) == 0;
}

size_t vector_decimal_format(float value, char text[VECTOR_DECIMAL_SIZE])
{
    if (value == 0.0f)
        return (size_t)snprintf(text, VECTOR_DECIMAL_SIZE, "%s", signbit(value) ? "-0.0" : "0");
    size_t size = write_rounded(value, 8, text);
    if (!reads_back(text, size, value)) return write_rounded(value, 9, text);
    for (int count = 7; count >= 6; count--) {
        char shorter[VECTOR_DECIMAL_SIZE];
        size_t shorter_size = write_rounded(value, count, shorter);
        if (!reads_back(shorter, shorter_size, value)) break;
        memcpy(text, shorter, shorter_size + 1);
        size = shorter_size;
    }
    return size;
}
