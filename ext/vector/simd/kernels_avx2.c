/*
 * kernels_avx2.c: 8 floats at a time, for x86-64 with AVX2, FMA and POPCNT (2013 on).
 *
 * Four registers of sums hide the latency of a fused multiply-add. What is left over is read under
 * a mask, so that no byte behind a vector is touched.
 */
#include "vector/simd/kernels.h"

#ifdef VECTOR_HAS_X86

#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2,fma,popcnt")))
#define WIDE 32 /* bytes of a register */

AVX2 static inline __m256 load(const unsigned char *p)
{
    return _mm256_loadu_ps((const float *)(const void *)p);
}

/* The first `count` (0 to 7) floats at p, then zeros. */
AVX2 static inline __m256 load_first(const unsigned char *p, size_t count)
{
    static const int32_t ones_then_zeros[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    __m256i mask = _mm256_loadu_si256((const __m256i *)(const void *)(ones_then_zeros + 8 - count));
    return _mm256_maskload_ps((const float *)(const void *)p, mask);
}

AVX2 static inline double add_lanes(__m256 sum)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return (double)_mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

AVX2 static double avx2_dot(const void *a, const void *b, size_t dimensions)
{
    const unsigned char *p = a, *q = b;
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    size_t left = dimensions;
    for (; left >= 32; left -= 32, p += 4 * WIDE, q += 4 * WIDE) {
        s0 = _mm256_fmadd_ps(load(p), load(q), s0);
        s1 = _mm256_fmadd_ps(load(p + WIDE), load(q + WIDE), s1);
        s2 = _mm256_fmadd_ps(load(p + 2 * WIDE), load(q + 2 * WIDE), s2);
        s3 = _mm256_fmadd_ps(load(p + 3 * WIDE), load(q + 3 * WIDE), s3);
    }
    for (; left >= 8; left -= 8, p += WIDE, q += WIDE) s0 = _mm256_fmadd_ps(load(p), load(q), s0);
    if (left > 0) s1 = _mm256_fmadd_ps(load_first(p, left), load_first(q, left), s1);
    return add_lanes(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
}

AVX2 static inline __m256 add_square(__m256 a, __m256 b, __m256 sum)
{
    __m256 difference = _mm256_sub_ps(a, b);
    return _mm256_fmadd_ps(difference, difference, sum);
}

AVX2 static double avx2_squared_l2(const void *a, const void *b, size_t dimensions)
{
    const unsigned char *p = a, *q = b;
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    size_t left = dimensions;
    for (; left >= 32; left -= 32, p += 4 * WIDE, q += 4 * WIDE) {
        s0 = add_square(load(p), load(q), s0);
        s1 = add_square(load(p + WIDE), load(q + WIDE), s1);
        s2 = add_square(load(p + 2 * WIDE), load(q + 2 * WIDE), s2);
        s3 = add_square(load(p + 3 * WIDE), load(q + 3 * WIDE), s3);
    }
    for (; left >= 8; left -= 8, p += WIDE, q += WIDE) s0 = add_square(load(p), load(q), s0);
    if (left > 0) s1 = add_square(load_first(p, left), load_first(q, left), s1);
    return add_lanes(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
}

/* Two registers for each of the three sums. */
struct six {
    __m256 ab[2], aa[2], bb[2];
};

AVX2 static inline void add_products(struct six *sums, int half, __m256 a, __m256 b)
{
    sums->ab[half] = _mm256_fmadd_ps(a, b, sums->ab[half]);
    sums->aa[half] = _mm256_fmadd_ps(a, a, sums->aa[half]);
    sums->bb[half] = _mm256_fmadd_ps(b, b, sums->bb[half]);
}

AVX2 static struct vector_sums avx2_sums(const void *a, const void *b, size_t dimensions)
{
    const unsigned char *p = a, *q = b;
    __m256 zero = _mm256_setzero_ps();
    struct six sums = {{zero, zero}, {zero, zero}, {zero, zero}};
    size_t left = dimensions;
    for (; left >= 16; left -= 16, p += 2 * WIDE, q += 2 * WIDE) {
        add_products(&sums, 0, load(p), load(q));
        add_products(&sums, 1, load(p + WIDE), load(q + WIDE));
    }
    for (; left >= 8; left -= 8, p += WIDE, q += WIDE) add_products(&sums, 0, load(p), load(q));
    if (left > 0) add_products(&sums, 1, load_first(p, left), load_first(q, left));
    return (struct vector_sums){
        .ab = add_lanes(_mm256_add_ps(sums.ab[0], sums.ab[1])),
        .aa = add_lanes(_mm256_add_ps(sums.aa[0], sums.aa[1])),
        .bb = add_lanes(_mm256_add_ps(sums.bb[0], sums.bb[1])),
    };
}

/* Four rows share each load of the vector; a row has two registers of sums. */
AVX2 static void dots_of_four(const float *vector, const float *rows, size_t dimensions,
                              float *dots)
{
    const unsigned char *p = (const unsigned char *)vector, *q[4];
    __m256 s[4][2];
    for (size_t r = 0; r < 4; r++) {
        q[r] = (const unsigned char *)(rows + r * dimensions);
        s[r][0] = s[r][1] = _mm256_setzero_ps();
    }
    size_t left = dimensions, at = 0;
    for (; left >= 16; left -= 16, at += 2 * WIDE) {
        __m256 v0 = load(p + at), v1 = load(p + at + WIDE);
#pragma GCC unroll 4 /* so that the sums stay in registers, here and below */
        for (size_t r = 0; r < 4; r++) {
            s[r][0] = _mm256_fmadd_ps(v0, load(q[r] + at), s[r][0]);
            s[r][1] = _mm256_fmadd_ps(v1, load(q[r] + at + WIDE), s[r][1]);
        }
    }
    if (left >= 8) {
        __m256 v0 = load(p + at);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) s[r][0] = _mm256_fmadd_ps(v0, load(q[r] + at), s[r][0]);
        left -= 8;
        at += WIDE;
    }
    if (left > 0) {
        __m256 v1 = load_first(p + at, left);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++)
            s[r][1] = _mm256_fmadd_ps(v1, load_first(q[r] + at, left), s[r][1]);
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < 4; r++) dots[r] = (float)add_lanes(_mm256_add_ps(s[r][0], s[r][1]));
}

AVX2 static void avx2_dots(const float *vector, const float *rows, size_t n_rows, size_t dimensions,
                           float *dots)
{
    size_t i = 0;
    for (; i + 4 <= n_rows; i += 4)
        dots_of_four(vector, rows + i * dimensions, dimensions, dots + i);
    for (; i < n_rows; i++) dots[i] = (float)avx2_dot(vector, rows + i * dimensions, dimensions);
}

AVX2 static inline __m256i widen(const int8_t *p)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)p));
}

/* The first `count` (1 to 15) bytes at p, then zeros, as 16-bit numbers. */
AVX2 static inline __m256i widen_first(const int8_t *p, size_t count)
{
    int8_t sixteen[16] = {0};
    memcpy(sixteen, p, count);
    return widen(sixteen);
}

AVX2 static inline __m256i load_whole(const int16_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

AVX2 static inline __m256i add_madd(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}

AVX2 static inline int64_t add_int32_lanes(__m256i sum)
{
    int32_t lanes[8];
    int64_t total = 0;
    _mm256_storeu_si256((__m256i *)(void *)lanes, sum);
    for (int j = 0; j < 8; j++) total += lanes[j];
    return total;
}

/* Components from..to of four codes, at most VECTOR_INT32_STRETCH, into their sums. madd multiplies
 * 16-bit numbers and adds neighbours. */
AVX2 static void add_four_int8(const struct vector_rounded *query, const int8_t *codes, size_t from,
                               size_t to, int64_t totals[4])
{
    __m256i s[4];
    for (size_t r = 0; r < 4; r++) s[r] = _mm256_setzero_si256();
    size_t i = from;
    for (; i + 16 <= to; i += 16) {
        __m256i t = load_whole(query->whole + i);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++)
            s[r] = add_madd(s[r], t, widen(codes + r * query->dimensions + i));
    }
    if (i < to) {
        __m256i t = load_whole(query->whole + i);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++)
            s[r] = add_madd(s[r], t, widen_first(codes + r * query->dimensions + i, to - i));
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < 4; r++) totals[r] += add_int32_lanes(s[r]);
}

AVX2 static int64_t add_one_int8(const struct vector_rounded *query, const int8_t *code,
                                 size_t from, size_t to)
{
    __m256i s = _mm256_setzero_si256();
    size_t i = from;
    for (; i + 16 <= to; i += 16) s = add_madd(s, load_whole(query->whole + i), widen(code + i));
    if (i < to) s = add_madd(s, load_whole(query->whole + i), widen_first(code + i, to - i));
    return add_int32_lanes(s);
}

static size_t end_of_stretch(size_t from, size_t dimensions)
{
    return dimensions - from < VECTOR_INT32_STRETCH ? dimensions : from + VECTOR_INT32_STRETCH;
}

AVX2 static void avx2_dots_int8(const struct vector_rounded *query, const int8_t *codes, size_t n,
                                float *sums)
{
    size_t i = 0, dimensions = query->dimensions;
    for (; i + 4 <= n; i += 4, codes += 4 * dimensions) {
        int64_t totals[4] = {0};
        for (size_t from = 0; from < dimensions; from += VECTOR_INT32_STRETCH)
            add_four_int8(query, codes, from, end_of_stretch(from, dimensions), totals);
        for (size_t r = 0; r < 4; r++) sums[i + r] = (float)totals[r];
    }
    for (; i < n; i++, codes += dimensions) {
        int64_t total = 0;
        for (size_t from = 0; from < dimensions; from += VECTOR_INT32_STRETCH)
            total += add_one_int8(query, codes, from, end_of_stretch(from, dimensions));
        sums[i] = (float)total;
    }
}

static inline uint64_t load_word(const unsigned char *p, size_t bytes)
{
    uint64_t word = 0;
    if (bytes >= 8) memcpy(&word, p, 8);
    else memcpy(&word, p, bytes);
    return word;
}

__attribute__((target("popcnt"))) static int32_t sum_of_bits(const uint64_t *planes,
                                                             const uint8_t *bits, size_t bytes)
{
    int64_t count[VECTOR_PLANES] = {0};
    for (size_t at = 0; at < bytes; at += 8, planes += VECTOR_PLANE_WORDS) {
        uint64_t word = load_word(bits + at, bytes - at);
#pragma GCC unroll 6
        for (int j = 0; j < VECTOR_PLANES; j++) count[j] += _mm_popcnt_u64(planes[j] & word);
    }
    int64_t sum = -count[VECTOR_PLANES - 1] * (1 << (VECTOR_PLANES - 1));
    for (int j = 0; j < VECTOR_PLANES - 1; j++) sum += count[j] * (1 << j);
    return (int32_t)sum;
}

static void popcnt_sums_of_bits(const struct vector_rounded *query, const uint8_t *codes, size_t n,
                                int32_t *sums)
{
    size_t bytes = (query->dimensions + 7) / 8;
    for (size_t i = 0; i < n; i++) sums[i] = sum_of_bits(query->planes, codes + i * bytes, bytes);
}

__attribute__((target("popcnt"))) uint64_t
vector_kernels_popcnt_hamming(const void *a, const void *b, size_t bytes)
{
    const unsigned char *p = a, *q = b;
    uint64_t s[4] = {0};
    size_t at = 0;
    for (; at + 32 <= bytes; at += 32) {
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++)
            s[j] += (uint64_t)_mm_popcnt_u64(load_word(p + at + 8 * j, 8) ^
                                             load_word(q + at + 8 * j, 8));
    }
    for (; at < bytes; at += 8)
        s[0] +=
            (uint64_t)_mm_popcnt_u64(load_word(p + at, bytes - at) ^ load_word(q + at, bytes - at));
    return (s[0] + s[1]) + (s[2] + s[3]);
}

AVX2 void vector_kernels_avx2_add(float *restrict sums, const float *restrict b, float factor,
                                  size_t dimensions)
{
    for (size_t i = 0; i < dimensions; i++) sums[i] += factor * b[i];
}

AVX2 void vector_kernels_avx2_add_int8(float *restrict sums, const int8_t *restrict b, float factor,
                                       size_t dimensions)
{
    for (size_t i = 0; i < dimensions; i++) sums[i] += factor * (float)b[i];
}

AVX2 static void avx2_signs(float *vector, const uint64_t *bits, size_t n)
{
    const __m256i shifts = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24);
    const __m256 sign = _mm256_set1_ps(-0.0f);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i eight = _mm256_set1_epi32((int)(bits[i / 64] >> (i % 64) & 0xFF));
        __m256 flip = _mm256_and_ps(_mm256_castsi256_ps(_mm256_sllv_epi32(eight, shifts)), sign);
        _mm256_storeu_ps(vector + i, _mm256_xor_ps(_mm256_loadu_ps(vector + i), flip));
    }
    for (; i < n; i++)
        if (bits[i / 64] >> (i % 64) & 1) vector[i] = -vector[i];
}

AVX2 static inline void butterfly(__m256 *a, __m256 *b)
{
    __m256 sum = _mm256_add_ps(*a, *b);
    *b = _mm256_sub_ps(*a, *b);
    *a = sum;
}

/* The strides 1, 2 and 4: each lane meets its partner. One below it gives partner - itself. */
AVX2 static inline __m256 transform_lanes(__m256 x)
{
    __m256 partner = _mm256_permute_ps(x, 0xB1);
    x = _mm256_blend_ps(_mm256_add_ps(x, partner), _mm256_sub_ps(partner, x), 0xAA);
    partner = _mm256_permute_ps(x, 0x4E);
    x = _mm256_blend_ps(_mm256_add_ps(x, partner), _mm256_sub_ps(partner, x), 0xCC);
    partner = _mm256_permute2f128_ps(x, x, 1);
    return _mm256_blend_ps(_mm256_add_ps(x, partner), _mm256_sub_ps(partner, x), 0xF0);
}

/* Two strides, `stride` and twice that, in one pass. */
AVX2 static void transform_two_strides(float *vector, size_t n, size_t stride)
{
    for (size_t at = 0; at < n; at += 4 * stride) {
        for (size_t i = at; i < at + stride; i += 8) {
            __m256 x[4];
#pragma GCC unroll 4
            for (size_t j = 0; j < 4; j++) x[j] = _mm256_loadu_ps(vector + i + j * stride);
            butterfly(&x[0], &x[1]);
            butterfly(&x[2], &x[3]);
            butterfly(&x[0], &x[2]);
            butterfly(&x[1], &x[3]);
#pragma GCC unroll 4
            for (size_t j = 0; j < 4; j++) _mm256_storeu_ps(vector + i + j * stride, x[j]);
        }
    }
}

AVX2 static void avx2_hadamard(float *vector, size_t n, float factor)
{
    if (n < 8) {
        vector_kernels_scalar_hadamard(vector, n, factor);
        return;
    }
    __m256 factors = _mm256_set1_ps(factor);
    for (size_t i = 0; i < n; i += 8) {
        __m256 x = _mm256_mul_ps(_mm256_loadu_ps(vector + i), factors);
        _mm256_storeu_ps(vector + i, transform_lanes(x));
    }
    size_t stride = 8;
    for (; 4 * stride <= n; stride *= 4) transform_two_strides(vector, n, stride);
    if (2 * stride > n) return;
    for (size_t i = 0; i < stride; i += 8) {
        __m256 a = _mm256_loadu_ps(vector + i), b = _mm256_loadu_ps(vector + stride + i);
        butterfly(&a, &b);
        _mm256_storeu_ps(vector + i, a);
        _mm256_storeu_ps(vector + stride + i, b);
    }
}

AVX2 void vector_kernels_avx2_mix(float *restrict a, float *restrict b, size_t n, float factor)
{
    __m256 factors = _mm256_set1_ps(factor);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 x = _mm256_loadu_ps(a + i), y = _mm256_loadu_ps(b + i);
        butterfly(&x, &y);
        _mm256_storeu_ps(a + i, _mm256_mul_ps(x, factors));
        _mm256_storeu_ps(b + i, _mm256_mul_ps(y, factors));
    }
    vector_kernels_scalar_mix(a + i, b + i, n - i, factor);
}

/* Four components of an encoding as doubles. */
struct four {
    __m256d c, r;
};

AVX2 static inline struct four load_four(const struct vector_encoding *encoding, size_t i)
{
    struct four four = {_mm256_setzero_pd(), _mm256_cvtps_pd(_mm_loadu_ps(encoding->vector + i))};
    if (encoding->centroid != NULL) {
        four.c = _mm256_cvtps_pd(_mm_loadu_ps(encoding->centroid + i));
        four.r = _mm256_sub_pd(four.r, four.c);
    }
    return four;
}

AVX2 static inline void load_sums(const struct vector_encoding *encoding, __m256d s[3][2])
{
    for (size_t j = 0; j < 6; j++)
        s[j / 2][j % 2] = _mm256_loadu_pd(&encoding->sums[j / 2][j % 2 * 4]);
}

AVX2 static inline void store_sums(struct vector_encoding *encoding, __m256d s[3][2])
{
    for (size_t j = 0; j < 6; j++)
        _mm256_storeu_pd(&encoding->sums[j / 2][j % 2 * 4], s[j / 2][j % 2]);
}

AVX2 static void avx2_spread(struct vector_encoding *encoding)
{
    __m256d s[3][2], sign = _mm256_set1_pd(-0.0);
    load_sums(encoding, s);
    for (size_t i = 0; i < encoding->n; i += 8) {
#pragma GCC unroll 2
        for (size_t half = 0; half < 2; half++) {
            __m256d r = load_four(encoding, i + 4 * half).r, magnitude = _mm256_andnot_pd(sign, r);
            s[0][half] = _mm256_max_pd(magnitude, s[0][half]);
            s[1][half] = _mm256_add_pd(s[1][half], magnitude);
            s[2][half] = _mm256_add_pd(s[2][half], _mm256_mul_pd(r, r));
        }
    }
    store_sums(encoding, s);
}

AVX2 static inline void add_components(__m256d s[3][2], size_t half, struct four four, __m256d k,
                                       __m256d scale)
{
    __m256d e = _mm256_sub_pd(_mm256_mul_pd(scale, k), four.r);
    s[0][half] = _mm256_add_pd(s[0][half], _mm256_mul_pd(e, e));
    s[1][half] = _mm256_add_pd(s[1][half], _mm256_mul_pd(four.c, e));
    s[2][half] = _mm256_add_pd(s[2][half], _mm256_mul_pd(four.c, k));
}

AVX2 static void avx2_round_int8(struct vector_encoding *encoding, int8_t *components)
{
    __m256d s[3][2], scale = _mm256_set1_pd(encoding->scale);
    __m256d units = _mm256_set1_pd(encoding->units);
    __m256d sign = _mm256_set1_pd(-0.0), half_unit = _mm256_set1_pd(0.5);
    load_sums(encoding, s);
    for (size_t i = 0; i < encoding->n; i += 8) {
        __m128i whole[2];
#pragma GCC unroll 2
        for (size_t half = 0; half < 2; half++) {
            struct four four = load_four(encoding, i + 4 * half);
            __m256d exact = _mm256_mul_pd(four.r, units);
            __m256d away = _mm256_or_pd(_mm256_and_pd(exact, sign), half_unit);
            whole[half] = _mm256_cvttpd_epi32(_mm256_add_pd(exact, away));
            add_components(s, half, four, _mm256_cvtepi32_pd(whole[half]), scale);
        }
        __m128i words = _mm_packs_epi32(whole[0], whole[1]);
        _mm_storel_epi64((__m128i *)(void *)(components + i), _mm_packs_epi16(words, words));
    }
    store_sums(encoding, s);
}

AVX2 static void avx2_take_signs(struct vector_encoding *encoding, uint8_t *bits)
{
    __m256d s[3][2], scale = _mm256_set1_pd(encoding->scale);
    __m256d plus = _mm256_set1_pd(1.0), minus = _mm256_set1_pd(-1.0), zero = _mm256_setzero_pd();
    load_sums(encoding, s);
    for (size_t i = 0; i < encoding->n; i += 8) {
        int set[2];
#pragma GCC unroll 2
        for (size_t half = 0; half < 2; half++) {
            struct four four = load_four(encoding, i + 4 * half);
            __m256d positive = _mm256_cmp_pd(four.r, zero, _CMP_GE_OQ);
            set[half] = _mm256_movemask_pd(positive);
            add_components(s, half, four, _mm256_blendv_pd(minus, plus, positive), scale);
        }
        bits[i / 8] = (uint8_t)(set[0] | set[1] << 4);
    }
    store_sums(encoding, s);
}

const struct vector_kernels vector_kernels_avx2 = {
    .name = "avx2",
    .dot = avx2_dot,
    .squared_l2 = avx2_squared_l2,
    .sums = avx2_sums,
    .dots = avx2_dots,
    .dots_int8 = avx2_dots_int8,
    .sums_of_bits = popcnt_sums_of_bits,
    .hamming = vector_kernels_popcnt_hamming,
    .add = vector_kernels_avx2_add,
    .add_int8 = vector_kernels_avx2_add_int8,
    .signs = avx2_signs,
    .hadamard = avx2_hadamard,
    .mix = vector_kernels_avx2_mix,
    .spread = avx2_spread,
    .round_int8 = avx2_round_int8,
    .take_signs = avx2_take_signs,
};

#endif
