/*
 * Each family of kernels against the scalar one, within the bounds that distance.h states.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vector/simd/kernels.h"
#include "vector/families.h"
#include "vector/random.h"

#define U 0x1p-24
#define LARGEST 5000

/* Two vectors at odd addresses, with NaN on both sides of them. */
struct pair {
    unsigned char bytes[2][4 * LARGEST + 16];
    unsigned char *a, *b;
};

static void fill(struct pair *pair, size_t n, size_t shift, const float *a, const float *b)
{
    memset(pair->bytes, 0xFF, sizeof pair->bytes);
    pair->a = pair->bytes[0] + 4 + shift;
    pair->b = pair->bytes[1] + 4 + (shift + 1) % 4;
    memcpy(pair->a, a, 4 * n);
    memcpy(pair->b, b, 4 * n);
}

static double sum_of_magnitudes(const struct pair *pair, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += fabs(vector_component(pair->a, i) * vector_component(pair->b, i));
    return sum;
}

static void compare_with_scalar(const struct vector_kernels *kernels, const struct pair *pair,
                                size_t n)
{
    const void *a = pair->a, *b = pair->b;
    double steps = (double)n / 16 + 8, least = (double)n * 0x1p-149;
    double dot = vector_kernels_scalar.dot(a, b, n), l2 = vector_kernels_scalar.squared_l2(a, b, n);
    struct vector_sums exact = vector_kernels_scalar.sums(a, b, n), sums = kernels->sums(a, b, n);
    double bound = steps * U * sum_of_magnitudes(pair, n) + least;
    assert_true(fabs(kernels->dot(a, b, n) - dot) <= bound);
    assert_true(fabs(sums.ab - exact.ab) <= bound);
    assert_true(fabs(sums.aa - exact.aa) <= steps * U * exact.aa + least);
    assert_true(fabs(sums.bb - exact.bb) <= steps * U * exact.bb + least);
    assert_true(fabs(kernels->squared_l2(a, b, n) - l2) <= (steps + 2) * U * l2 + least);
    struct vector_sums same = kernels->sums(a, a, n);
    assert_true(same.ab == same.aa && same.aa == same.bb);
}

static void try_all_dimensions(const struct vector_kernels *kernels)
{
    static struct pair pair;
    static float a[LARGEST], b[LARGEST];
    uint64_t seed = 5;
    static const size_t large[] = {383, 384, 511, 768, 1000, 1023, 1024, 1025, 1536, 4096, 4999};
    for (size_t n = 0; n <= 257 + sizeof large / sizeof large[0]; n++) {
        size_t dimensions = n <= 257 ? n : large[n - 258];
        random_vector(&seed, dimensions, a);
        random_vector(&seed, dimensions, b);
        fill(&pair, dimensions, n % 4, a, b);
        compare_with_scalar(kernels, &pair, dimensions);
    }
}

static void try_magnitudes(const struct vector_kernels *kernels)
{
    static struct pair pair;
    static float a[300], b[300];
    uint64_t seed = 6;
    for (size_t n = 1; n < 300; n += 13) {
        for (int kind = 0; kind < 4; kind++) {
            for (size_t i = 0; i < n; i++) {
                int spread = kind == 0 ? 60 : kind == 1 ? 0 : 20;
                int power = spread == 0
                                ? -140
                                : (int)(random_bits(&seed) % (2u * (unsigned)spread)) - spread;
                a[i] = ldexpf(random_bell(&seed), power);
                b[i] = kind == 3 && i % 2 == 1 ? -b[i - 1] : ldexpf(random_bell(&seed), power);
                if (kind == 3 && i % 2 == 1) a[i] = a[i - 1]; /* all cancels */
            }
            fill(&pair, n, kind & 3, a, b);
            compare_with_scalar(kernels, &pair, n);
        }
    }
}

static void try_what_is_not_finite_shows(const struct vector_kernels *kernels)
{
    static struct pair pair;
    static float a[100], b[100];
    for (size_t n = 1; n < 100; n++) {
        for (size_t i = 0; i < n; i++) a[i] = b[i] = i % 3 == 0 ? 0.0f : 1.0f;
        b[n / 2] = n % 2 == 0 ? NAN : INFINITY;
        fill(&pair, n, n % 4, a, b);
        assert_true(!isfinite(kernels->dot(pair.a, pair.b, n)));
        assert_true(!isfinite(kernels->squared_l2(pair.a, pair.b, n)));
        assert_true(!isfinite(kernels->sums(pair.a, pair.b, n).bb));
        assert_true(!isfinite(kernels->sums(pair.a, pair.b, n).ab));
    }
}

/* 0 to 10 rows between what must not be read, each within the bound of dot. */
static void try_dots(const struct vector_kernels *kernels)
{
    static float vector[1200], rows[10 * 1200 + 2], dots[11];
    static const size_t sizes[] = {1,  2,  3,  4,  5,  7,  8,  9,   12,  15,  16,   17,
                                   31, 32, 33, 47, 48, 63, 64, 100, 384, 768, 1000, 1023};
    uint64_t seed = 10;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t n = sizes[s];
        for (size_t n_rows = 0; n_rows <= 10; n_rows++) {
            for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) rows[i] = NAN;
            random_vector(&seed, n, vector);
            random_vector(&seed, n_rows * n, rows + 1);
            dots[n_rows] = 77.0f;
            kernels->dots(vector, rows + 1, n_rows, n, dots);
            assert_true(dots[n_rows] == 77.0f);
            for (size_t r = 0; r < n_rows; r++) {
                const float *row = rows + 1 + r * n;
                double magnitudes = 0.0, exact = vector_kernels_scalar.dot(vector, row, n);
                for (size_t i = 0; i < n; i++)
                    magnitudes += fabs((double)vector[i] * (double)row[i]);
                double bound = ((double)n / 16 + 9) * U * magnitudes;
                assert_true(fabs((double)dots[r] - exact) <= bound);
            }
        }
    }
}

/* Vectors of bytes between what must not be read, beside floats at odd addresses. */
static void try_bytes(const struct vector_kernels *kernels)
{
    static struct pair pair;
    static float a[LARGEST];
    static int8_t bytes[LARGEST + 2];
    static const size_t large[] = {383, 384, 511, 768, 1000, 1023, 1024, 1025, 1536, 4999};
    uint64_t seed = 17;
    for (size_t s = 0; s < 130 + sizeof large / sizeof large[0]; s++) {
        size_t n = s < 130 ? s : large[s - 130];
        float scale = ldexpf(1.0f + (float)random_unit(&seed), (int)(s % 7) - 9);
        double steps = (double)n / 16 + 8, magnitudes = 0.0;
        memset(bytes, 0x7F, sizeof bytes);
        for (size_t i = 0; i < n; i++) bytes[1 + i] = (int8_t)(random_bits(&seed) & 0xFF);
        random_vector(&seed, n, a);
        fill(&pair, n, s % 4, a, a);
        const int8_t *b = bytes + 1;
        for (size_t i = 0; i < n; i++) magnitudes += fabs((double)a[i] * b[i]);
        double dot = vector_kernels_scalar.dot_int8(pair.a, b, n),
               square = vector_kernels_scalar.square_int8(b, n),
               l2 = vector_kernels_scalar.squared_l2_int8(pair.a, b, scale, n);
        assert_true(fabs(kernels->dot_int8(pair.a, b, n) - dot) <= steps * U * magnitudes);
        assert_true(fabs(kernels->square_int8(b, n) - square) <= steps * U * square);
        assert_true(fabs(kernels->squared_l2_int8(pair.a, b, scale, n) - l2) <=
                    (steps + 2) * U * l2);
        if (n > 0) assert_true(isnan(kernels->squared_l2_int8(pair.a, b, NAN, n)));
        if (n == 0) assert_true(dot == 0.0 && square == 0.0 && l2 == 0.0);
    }
}

/* Halves up to the end of what may be read, beside floats at odd addresses. */
static void try_halves(const struct vector_kernels *kernels)
{
    static struct pair pair;
    static float a[LARGEST], floats[2][LARGEST];
    static unsigned char halves[2 * LARGEST];
    uint64_t seed = 19;
    for (size_t n = 0; n < 140; n++) {
        double steps = (double)n / 16 + 8, magnitudes = 0.0;
        unsigned char *b = halves + sizeof halves - 2 * n;
        for (size_t i = 0; i < n; i++) {
            uint16_t half = (uint16_t)(random_bits(&seed) % 0x7C00u | (i % 2 << 15));
            memcpy(b + 2 * i, &half, sizeof half);
        }
        random_vector(&seed, n, a);
        fill(&pair, n, n % 4, a, a);
        vector_kernels_scalar.widen_half(b, n, floats[0]);
        kernels->widen_half(b, n, floats[1]);
        assert_memory_equal(floats[0], floats[1], n * sizeof(float));
        for (size_t i = 0; i < n; i++) magnitudes += fabs((double)a[i] * (double)floats[0][i]);
        double dot = vector_kernels_scalar.dot_half(pair.a, b, n),
               square = vector_kernels_scalar.square_half(b, n),
               l2 = vector_kernels_scalar.squared_l2_half(pair.a, b, n);
        assert_true(fabs(kernels->dot_half(pair.a, b, n) - dot) <= steps * U * magnitudes);
        assert_true(fabs(kernels->square_half(b, n) - square) <= steps * U * square);
        assert_true(fabs(kernels->squared_l2_half(pair.a, b, n) - l2) <= (steps + 2) * U * l2);
        if (n == 0) assert_true(dot == 0.0 && square == 0.0 && l2 == 0.0);
    }
}

/* What the scalar sums are, by hand. */
static void try_known_bytes(const struct vector_kernels *kernels)
{
    const float a[] = {1.5f, -2.0f, 0.25f};
    const int8_t b[] = {-128, 127, 3};
    assert_true(kernels->dot_int8(a, b, 3) == 1.5 * -128 - 2.0 * 127 + 0.75);
    assert_true(kernels->square_int8(b, 3) == 128.0 * 128 + 127 * 127 + 9);
    assert_true(kernels->squared_l2_int8(a, b, 0.5f, 3) == 65.5 * 65.5 + 65.5 * 65.5 + 1.25 * 1.25);
    const uint16_t halves[] = {0x3C00, 0xC100, 0x0001}; /* 1, -2.5, 2^-24 */
    assert_true(kernels->dot_half(a, halves, 2) == 6.5);
    assert_true(kernels->square_half(halves, 2) == 7.25);
    assert_true(kernels->squared_l2_half(a, halves, 2) == 0.5);
    assert_true(kernels->dot_half(a + 2, halves + 2, 1) == 0x1p-26);
}

/* A query of whole numbers with all that the families read of it. */
struct whole_query {
    int16_t whole[65536];
    int8_t high[65536], low[65536];
    uint64_t planes[1024][VECTOR_PLANE_WORDS];
    struct vector_rounded rounded;
};

static void whole_query_init(struct whole_query *query, size_t dimensions)
{
    memset(query, 0, sizeof *query);
    query->rounded = (struct vector_rounded){query->whole, query->high, query->low,
                                             query->planes[0], dimensions};
}

static void whole_query_set(struct whole_query *query, size_t i, int high, int low)
{
    query->whole[i] = (int16_t)(128 * high + low);
    query->high[i] = (int8_t)high;
    query->low[i] = (int8_t)low;
    for (int j = 0; j < VECTOR_PLANES; j++)
        query->planes[i / 64][j] |= (uint64_t)((unsigned)high >> j & 1) << (i % 64);
}

static void expect_dots_int8(const struct vector_kernels *kernels, const struct whole_query *query,
                             const int8_t *codes, size_t n)
{
    float sums[9] = {0.0f}, expected[9];
    sums[n] = 77.0f;
    kernels->dots_int8(&query->rounded, codes, n, sums);
    vector_kernels_scalar.dots_int8(&query->rounded, codes, n, expected);
    assert_memory_equal(sums, expected, n * sizeof *sums);
    assert_true(sums[n] == 77.0f);
}

static void try_int8(const struct vector_kernels *kernels)
{
    static struct whole_query query;
    static int8_t codes[3 * 65536];
    uint64_t seed = 7;
    for (size_t n = 1; n < 300; n++) {
        size_t rows = n % 9;
        int8_t *end = codes + sizeof codes - rows * n; /* the sanitizer sees what reads on */
        int64_t expected = 0;
        float first;
        whole_query_init(&query, n);
        for (size_t i = 0; i < rows * n; i++) end[i] = (int8_t)random_bits(&seed);
        for (size_t i = 0; i < n; i++) {
            whole_query_set(&query, i, (int)(random_bits(&seed) % 255) - 127,
                            (int)(random_bits(&seed) % 128) - 64);
            if (rows > 0) expected += query.whole[i] * end[i];
        }
        expect_dots_int8(kernels, &query, end, rows);
        if (rows == 0) continue;
        kernels->dots_int8(&query.rounded, end, 1, &first);
        assert_true(first == (float)expected);
    }
    static const int8_t extremes[] = {-128, 127};
    for (size_t c = 0; c < 2; c++) {
        memset(codes, extremes[c], sizeof codes);
        for (int sign = -1; sign <= 1; sign += 2) {
            whole_query_init(&query, 65536);
            for (size_t i = 0; i < 65536; i++) whole_query_set(&query, i, sign * 127, sign * 63);
            expect_dots_int8(kernels, &query, codes, 3);
            float sum;
            kernels->dots_int8(&query.rounded, codes, 1, &sum);
            assert_true(sum == (float)((double)sign * 16319 * extremes[c] * 65536));
        }
    }
}

static void try_bits_of(const struct vector_kernels *kernels, size_t dimensions, size_t rows,
                        uint64_t *seed)
{
    static struct whole_query query;
    static uint8_t codes[8 * 8192];
    size_t bytes = (dimensions + 7) / 8;
    uint8_t *end = codes + sizeof codes - rows * bytes;
    int32_t sums[9] = {0}, expected[8] = {0};
    whole_query_init(&query, dimensions);
    for (size_t i = 0; i < dimensions; i++)
        whole_query_set(&query, i, dimensions % 9 == 0 ? -32 : (int)(random_bits(seed) % 64) - 32,
                        0);
    for (size_t i = 0; i < rows * bytes; i++) end[i] = (uint8_t)random_bits(seed);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < dimensions; i++)
            if (end[r * bytes + i / 8] >> (i % 8) & 1) expected[r] += query.high[i];
    sums[rows] = 77;
    kernels->sums_of_bits(&query.rounded, end, rows, sums);
    for (size_t r = 0; r < rows; r++) assert_int_equal(sums[r], expected[r]);
    assert_int_equal(sums[rows], 77);
}

static void try_bits(const struct vector_kernels *kernels)
{
    uint64_t seed = 8;
    for (size_t n = 1; n < 700; n++) try_bits_of(kernels, n, n % 9, &seed);
    try_bits_of(kernels, 65529, 8, &seed);
    try_bits_of(kernels, 65536, 7, &seed);
}

static void try_hamming(const struct vector_kernels *kernels)
{
    static unsigned char a[1000], b[1000];
    uint64_t seed = 11;
    for (size_t bytes = 0; bytes < 500; bytes++) {
        unsigned char *p = a + sizeof a - bytes, *q = b + bytes % 7;
        uint64_t expected = 0;
        memset(b, 0xFF, sizeof b);
        for (size_t i = 0; i < bytes; i++) {
            p[i] = (unsigned char)random_bits(&seed);
            q[i] = bytes % 10 == 0 ? (unsigned char)~p[i] : (unsigned char)random_bits(&seed);
            for (int j = 0; j < 8; j++) expected += (uint64_t)((p[i] ^ q[i]) >> j & 1);
        }
        assert_true(kernels->hamming(p, q, bytes) == expected);
        assert_true(kernels->hamming(p, p, bytes) == 0);
    }
}

/* The same bits as the scalar family. */
static void try_steps_of_rotation(const struct vector_kernels *kernels)
{
    static float vector[4099], expected[4099];
    uint64_t seed = 12, bits[65];
    for (size_t i = 0; i < 65; i++) bits[i] = random_bits(&seed);
    for (size_t n = 1; n <= 4096; n += n < 200 ? 1 : 433) {
        random_vector(&seed, 4099, vector);
        memcpy(expected, vector, sizeof vector);
        kernels->signs(vector + 1, bits, n);
        vector_kernels_scalar.signs(expected + 1, bits, n);
        kernels->mix(vector + 1, vector + 1 + n - n / 2, n / 2, 0.7f);
        vector_kernels_scalar.mix(expected + 1, expected + 1 + n - n / 2, n / 2, 0.7f);
        assert_memory_equal(vector, expected, sizeof vector);
    }
    for (size_t n = 1; n <= 4096; n *= 2) {
        kernels->hadamard(vector + 1, n, 0.37f);
        vector_kernels_scalar.hadamard(expected + 1, n, 0.37f);
        assert_memory_equal(vector, expected, sizeof vector);
    }
}

/* The same bytes as the scalar family: codes, bits, sums. */
static void try_encoding(const struct vector_kernels *kernels)
{
    static float vector[801], centroid[801];
    uint64_t seed = 13;
    for (size_t n = 0; n <= 800; n += 8) {
        int8_t codes[2][802];
        uint8_t bits[2][102];
        struct vector_encoding encodings[2];
        const struct vector_kernels *both[2] = {kernels, &vector_kernels_scalar};
        double scale = n % 3 == 0 ? 0x1p-20 : 0.04, largest = 0.0;
        for (size_t i = 0; i < n; i++) {
            vector[i + 1] = i % 5 == 0 ? -0.0f : random_bell(&seed);
            if (i % 7 == 0) vector[i + 1] = ldexpf(vector[i + 1], (int)(i % 200) - 100);
            centroid[i + 1] = i % 5 == 0 ? 0.0f : random_bell(&seed);
            double r = (double)vector[i + 1] - (n % 16 == 0 ? 0.0 : (double)centroid[i + 1]);
            largest = fmax(largest, fabs(r));
        }
        memset(codes, 77, sizeof codes);
        memset(bits, 77, sizeof bits);
        for (int k = 0; k < 2; k++) {
            encodings[k] = (struct vector_encoding){.vector = vector + 1,
                                                    .centroid = n % 16 == 0 ? NULL : centroid + 1,
                                                    .n = n,
                                                    .units = n == 0 ? 0.0 : 127.0 / largest,
                                                    .scale = scale,
                                                    .sums = {{0.5, 1e9}, {0.25}, {0.125}}};
            both[k]->spread(&encodings[k]);
            both[k]->round_int8(&encodings[k], codes[k] + 1);
            both[k]->take_signs(&encodings[k], bits[k] + 1);
        }
        assert_memory_equal(codes[0], codes[1], sizeof codes[0]);
        assert_memory_equal(bits[0], bits[1], sizeof bits[0]);
        assert_memory_equal(encodings[0].sums, encodings[1].sums, sizeof encodings[0].sums);
        double products[2][VECTOR_LANES] = {{0.5, 1e9}, {0.5, 1e9}};
        for (int k = 0; k < 2; k++) both[k]->products(vector + 1, centroid + 1, n, products[k]);
        assert_memory_equal(products[0], products[1], sizeof products[0]);
    }
}

/* The same bits as the scalar loop, and nothing behind the end is touched. */
static void try_add(const struct vector_kernels *kernels)
{
    uint64_t seed = 9;
    for (size_t n = 0; n <= 70; n++) {
        float b[70], sums[72], expected[72];
        int8_t codes[70];
        for (size_t i = 0; i < 72; i++)
            sums[i] = expected[i] = (float)(random_bits(&seed) % 1000) / 7.0f;
        for (size_t i = 0; i < n; i++) {
            b[i] = (float)(random_bits(&seed) % 1000) / 3.0f - 100.0f;
            codes[i] = (int8_t)(random_bits(&seed) % 256 - 128);
        }
        kernels->add(sums, b, 0.3f, n);
        kernels->add_int8(sums, codes, -1.7f, n);
        vector_kernels_scalar.add(expected, b, 0.3f, n);
        vector_kernels_scalar.add_int8(expected, codes, -1.7f, n);
        assert_memory_equal(sums, expected, sizeof sums);
    }
}

/* The same, of whole numbers; bits behind the end are not read. */
static void try_add_where(const struct vector_kernels *kernels)
{
    uint64_t seed = 15;
    for (size_t n = 0; n <= 400; n += 32) {
        int32_t sums[402], expected[402], value = (int32_t)(random_bits(&seed) % (1 << 20));
        uint8_t *bits = malloc(n / 8 + (n == 0));
        for (size_t i = 0; i < 402; i++)
            sums[i] = expected[i] = (int32_t)(random_bits(&seed) % (1 << 30)) - (1 << 29);
        for (size_t i = 0; i < n / 8; i++) bits[i] = (uint8_t)random_bits(&seed);
        kernels->add_where(sums + 1, bits, value, n);
        for (size_t i = 0; i < n; i++)
            if (bits[i / 8] & 1 << i % 8) expected[i + 1] += value;
        assert_memory_equal(sums, expected, sizeof sums);
        free(bits);
    }
}

/* Of all processors: what is not built cannot be chosen. */
static const char *const names[] = {"scalar", "avx2", "avx512", "avx512vnni", "neon", "neondot"};
#define NAMES (int)(sizeof names / sizeof names[0])

/* What a process with RERANK_SIMD = value chooses: the index in names. */
static int choice_with(const char *value)
{
    pid_t child = fork();
    if (child == 0) {
        if (value == NULL) unsetenv("RERANK_SIMD");
        else setenv("RERANK_SIMD", value, 1);
        const struct vector_kernels *chosen = vector_kernels_chosen();
        setenv("RERANK_SIMD", "scalar", 1); /* comes too late */
        int found = chosen == vector_kernels_chosen() ? 0 : 99;
        while (found < NAMES && strcmp(names[found], chosen->name) != 0) found++;
        _exit(found);
    }
    int status = 0;
    assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_choice(void **state)
{
    (void)state;
    int automatic = choice_with(NULL);
    assert_in_range(automatic, 0, NAMES - 1);
    for (int i = 0; i < NAMES; i++)
        assert_int_equal(choice_with(names[i]),
                         vector_kernels_find(names[i]) != NULL ? i : automatic);
    assert_int_equal(choice_with("sse9"), automatic);
    assert_int_equal(choice_with(""), automatic);
    assert_null(vector_kernels_find("sse9"));
    assert_null(vector_kernels_find(NULL));
    assert_ptr_equal(vector_kernels_find("scalar"), &vector_kernels_scalar);
}

/* Codes and queries of the largest numbers, and any; the sums are whole numbers. */
static void try_nibbles(const struct vector_kernels *kernels)
{
    enum { MOST = 1024 };
    static int8_t query[2 * MOST];
    static uint8_t codes[9 * MOST];
    uint64_t seed = 12;
    for (size_t size = 64; size <= MOST; size += 64) {
        size_t n = size / 64 % 10;
        int32_t sums[10], expected[10];
        for (size_t i = 0; i < 2 * size; i++)
            query[i] = (int8_t)(size % 128 == 0 ? 127 : (int)(random_bits(&seed) % 255) - 127);
        for (size_t i = 0; i < n * size; i++)
            codes[i] = (uint8_t)(i < size ? 255 : random_bits(&seed));
        sums[n] = 77;
        kernels->dots_of_nibbles(query, codes, n, size, sums);
        vector_kernels_scalar.dots_of_nibbles(query, codes, n, size, expected);
        assert_memory_equal(sums, expected, n * sizeof *sums);
        assert_int_equal(sums[n], 77);
        if (n > 0 && size % 128 == 0) assert_int_equal(sums[0], (int32_t)(2 * size) * 15 * 127);
    }
}

/* Numbers of any rows, also of none, and a bound that is what is needed. */
static void try_bounds_of_nibbles(const struct vector_kernels *kernels)
{
    enum { MOST = 200 };
    static float offsets[MOST], scales[MOST], errors[MOST];
    static int32_t sums[MOST];
    uint64_t seed = 14;
    random_vector(&seed, MOST, offsets);
    random_vector(&seed, MOST, scales);
    random_vector(&seed, MOST, errors);
    for (size_t i = 0; i < MOST; i++) sums[i] = (int32_t)(random_bits(&seed) % 2000000) - 1000000;
    offsets[MOST / 3] = NAN;
    scales[MOST / 5] = INFINITY;
    for (size_t n = 0; n <= MOST; n++) {
        struct vector_nibble_terms terms = {offsets, scales, errors, 1234, 1e-6f, 0.7f, 0.0f};
        float bounds[MOST + 1] = {0}, expected[MOST + 1] = {0};
        uint64_t reached[MOST / 64 + 1] = {0}, same[MOST / 64 + 1] = {0};
        if (n > 0) terms.needed = vector_nibble_bound(&terms, sums[n / 2], n / 2);
        kernels->bounds_of_nibbles(&terms, sums, n, bounds, reached);
        vector_kernels_scalar.bounds_of_nibbles(&terms, sums, n, expected, same);
        assert_memory_equal(reached, same, sizeof same);
        for (size_t i = 0; i <= n; i++)
            assert_true(isnan(expected[i]) ? isnan(bounds[i])
                                           : memcmp(&bounds[i], &expected[i], sizeof *bounds) == 0);
        if (n > 0 && !isnan(terms.needed)) assert_true(reached[n / 2 / 64] >> n / 2 % 64 & 1);
    }
}

static void try_rounding_to_nibbles(const struct vector_kernels *kernels)
{
    enum { MOST = 512 };
    static float r[MOST], same[MOST];
    uint8_t code[MOST / 2], expected[MOST / 2];
    uint64_t seed = 13;
    for (size_t n = VECTOR_NIBBLES; n <= MOST; n += VECTOR_NIBBLES) {
        random_vector(&seed, n, r);
        r[n / 2] = 1000.0f;
        r[n / 3] = -1000.0f;
        memcpy(same, r, sizeof same);
        kernels->round_to_nibbles(r, n, 3.0f, 1.0f / 3.0f, code);
        vector_kernels_scalar.round_to_nibbles(same, n, 3.0f, 1.0f / 3.0f, expected);
        assert_memory_equal(code, expected, n / 2);
        assert_memory_equal(r, same, n * sizeof *r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice), /* first: the choice is made once */
        FAMILY_TESTS(all_dimensions),
        FAMILY_TESTS(magnitudes),
        FAMILY_TESTS(what_is_not_finite_shows),
        FAMILY_TESTS(dots),
        FAMILY_TESTS(bytes),
        FAMILY_TESTS(halves),
        FAMILY_TESTS(known_bytes),
        FAMILY_TESTS(int8),
        FAMILY_TESTS(bits),
        FAMILY_TESTS(nibbles),
        FAMILY_TESTS(bounds_of_nibbles),
        FAMILY_TESTS(rounding_to_nibbles),
        FAMILY_TESTS(hamming),
        FAMILY_TESTS(steps_of_rotation),
        FAMILY_TESTS(encoding),
        FAMILY_TESTS(add),
        FAMILY_TESTS(add_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
