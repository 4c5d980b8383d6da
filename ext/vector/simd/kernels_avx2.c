/*
 * kernels_avx2.c: 8 floats at a time, for x86-64 with AVX2, FMA, F16C and POPCNT (2013 on).
 *
 * Floats that are left over are read under a mask.
 */
#include "vector/simd/kernels.h"

#ifdef PROCESSOR_HAS_X86

#include <immintrin.h>
#include <string.h>

#define FAMILY(name) avx2_##name
#define AVX2 __attribute__((target("avx2,fma,f16c,popcnt")))
#define TARGET AVX2
#define LANES 8
#define REGISTERS 2
#define DOUBLES 4

typedef __m256 lanes;
typedef __m256d doubles;
typedef __m128i integers;

AVX2 static inline lanes load(const void *p)
{
    return _mm256_loadu_ps(p);
}

AVX2 static inline lanes load_first(const void *p, size_t count)
{
    static const int32_t ones_then_zeros[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    __m256i mask = _mm256_loadu_si256((const __m256i *)(const void *)(ones_then_zeros + 8 - count));
    return _mm256_maskload_ps(p, mask);
}

AVX2 static inline void store(float *p, lanes a)
{
    _mm256_storeu_ps(p, a);
}

AVX2 static inline lanes all(float value)
{
    return _mm256_set1_ps(value);
}

AVX2 static inline lanes widen_int8(const int8_t *p)
{
    __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)p);
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}

AVX2 static inline lanes widen_halves(const void *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128(p));
}

AVX2 static inline lanes fused(lanes a, lanes b, lanes c)
{
    return _mm256_fmadd_ps(a, b, c);
}

AVX2 static inline double sum_of(lanes a)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return (double)_mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

AVX2 static inline lanes negate_where(lanes a, uint64_t bits)
{
    const __m256i shifts = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24);
    __m256i eight = _mm256_set1_epi32((int)(bits & 0xFF));
    __m256 flip = _mm256_castsi256_ps(_mm256_sllv_epi32(eight, shifts));
    return _mm256_xor_ps(a, _mm256_and_ps(flip, _mm256_set1_ps(-0.0f)));
}

/* Each lane meets its partner. One below it gives partner - itself. */
AVX2 static inline __m256 transform_lanes(__m256 x)
{
    __m256 partner = _mm256_permute_ps(x, 0xB1);
    x = _mm256_blend_ps(_mm256_add_ps(x, partner), _mm256_sub_ps(partner, x), 0xAA);
    partner = _mm256_permute_ps(x, 0x4E);
    x = _mm256_blend_ps(_mm256_add_ps(x, partner), _mm256_sub_ps(partner, x), 0xCC);
    partner = _mm256_permute2f128_ps(x, x, 1);
    return _mm256_blend_ps(_mm256_add_ps(x, partner), _mm256_sub_ps(partner, x), 0xF0);
}

AVX2 static inline doubles load_doubles(const double *p)
{
    return _mm256_loadu_pd(p);
}

AVX2 static inline void store_doubles(double *p, doubles a)
{
    _mm256_storeu_pd(p, a);
}

AVX2 static inline doubles widen(const float *p)
{
    return _mm256_cvtps_pd(_mm_loadu_ps(p));
}

AVX2 static inline doubles all_doubles(double value)
{
    return _mm256_set1_pd(value);
}

AVX2 static inline doubles magnitude(doubles a)
{
    return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a);
}

AVX2 static inline doubles max_of(doubles a, doubles b)
{
    return _mm256_max_pd(a, b);
}

AVX2 static inline integers round_away(doubles a)
{
    __m256d sign = _mm256_and_pd(a, _mm256_set1_pd(-0.0));
    return _mm256_cvttpd_epi32(_mm256_add_pd(a, _mm256_or_pd(sign, _mm256_set1_pd(0.5))));
}

AVX2 static inline doubles doubles_of(integers a)
{
    return _mm256_cvtepi32_pd(a);
}

AVX2 static inline void store_int8(int8_t *p, const integers a[2])
{
    __m128i words = _mm_packs_epi32(a[0], a[1]);
    _mm_storel_epi64((__m128i *)(void *)p, _mm_packs_epi16(words, words));
}

AVX2 static inline unsigned take_sign(doubles a, doubles *k)
{
    __m256d positive = _mm256_cmp_pd(a, _mm256_setzero_pd(), _CMP_GE_OQ);
    *k = _mm256_blendv_pd(_mm256_set1_pd(-1.0), _mm256_set1_pd(1.0), positive);
    return (unsigned)_mm256_movemask_pd(positive);
}

AVX2 static inline unsigned at_least(lanes a, lanes b)
{
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ));
}

/* Where a bit is set the lane is above zero, and gets the value that sign() has for it. */
AVX2 static inline void add_eight_where(int32_t *sums, __m256i bits, __m256i values)
{
    __m256i *at = (__m256i *)(void *)sums;
    _mm256_storeu_si256(at,
                        _mm256_add_epi32(_mm256_loadu_si256(at), _mm256_sign_epi32(values, bits)));
}

AVX2 static void avx2_add_where(int32_t *restrict sums, const uint8_t *restrict bits, int32_t value,
                                size_t n)
{
    const __m256i low = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128),
                  high = _mm256_slli_epi32(low, 8), values = _mm256_set1_epi32(value);
    for (size_t i = 0; i < n; i += 32) {
        int32_t word;
        memcpy(&word, bits + i / 8, sizeof word);
        __m256i first = _mm256_set1_epi32(word), second = _mm256_srli_epi32(first, 16);
        add_eight_where(sums + i, _mm256_and_si256(first, low), values);
        add_eight_where(sums + i + 8, _mm256_and_si256(first, high), values);
        add_eight_where(sums + i + 16, _mm256_and_si256(second, low), values);
        add_eight_where(sums + i + 24, _mm256_and_si256(second, high), values);
    }
}
#define OWN_ADD_WHERE

#include "vector/simd/kernels_each.h"

/* ---- codes ----------------------------------------------------------------------------------- */

AVX2 static inline __m256i load_int8(const int8_t *p)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)p));
}

/* The first `count` (1 to 15) bytes at p, then zeros, as 16-bit numbers. */
AVX2 static inline __m256i load_first_int8(const int8_t *p, size_t count)
{
    int8_t sixteen[16] = {0};
    memcpy(sixteen, p, count);
    return load_int8(sixteen);
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
    int32_t eight[8];
    int64_t total = 0;
    _mm256_storeu_si256((__m256i *)(void *)eight, sum);
    for (int j = 0; j < 8; j++) total += eight[j];
    return total;
}

/* Components from..to of four codes, at most VECTOR_INT32_STRETCH, into their sums. madd multiplies
 * 16-bit numbers and adds neighbours. */
AVX2 static void add_dot4_int8(const struct vector_rounded *query, const int8_t *codes, size_t from,
                               size_t to, int64_t totals[4])
{
    __m256i s[4];
    for (size_t r = 0; r < 4; r++) s[r] = _mm256_setzero_si256();
    size_t i = from;
    for (; i + 16 <= to; i += 16) {
        __m256i t = load_whole(query->whole + i);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++)
            s[r] = add_madd(s[r], t, load_int8(codes + r * query->dimensions + i));
    }
    if (i < to) {
        __m256i t = load_whole(query->whole + i);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++)
            s[r] = add_madd(s[r], t, load_first_int8(codes + r * query->dimensions + i, to - i));
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < 4; r++) totals[r] += add_int32_lanes(s[r]);
}

AVX2 static int64_t add_dot_int8(const struct vector_rounded *query, const int8_t *code,
                                 size_t from, size_t to)
{
    __m256i s = _mm256_setzero_si256();
    size_t i = from;
    for (; i + 16 <= to; i += 16)
        s = add_madd(s, load_whole(query->whole + i), load_int8(code + i));
    if (i < to) s = add_madd(s, load_whole(query->whole + i), load_first_int8(code + i, to - i));
    return add_int32_lanes(s);
}

AVX2 static void avx2_dots_int8(const struct vector_rounded *query, const int8_t *codes, size_t n,
                                float *sums)
{
    size_t i = 0, dimensions = query->dimensions;
    for (; i + 4 <= n; i += 4, codes += 4 * dimensions) {
        int64_t totals[4] = {0};
        for (size_t from = 0; from < dimensions; from += VECTOR_INT32_STRETCH)
            add_dot4_int8(query, codes, from, vector_stretch_end(from, dimensions), totals);
        for (size_t r = 0; r < 4; r++) sums[i + r] = (float)totals[r];
    }
    for (; i < n; i++, codes += dimensions) {
        int64_t total = 0;
        for (size_t from = 0; from < dimensions; from += VECTOR_INT32_STRETCH)
            total += add_dot_int8(query, codes, from, vector_stretch_end(from, dimensions));
        sums[i] = (float)total;
    }
}

/* Adds in 16 bits, of one step: two products and two more of at most 15 * 127 each. */
AVX2 static inline __m256i add_nibbles(__m256i sum, const uint8_t *code, const int8_t *query)
{
    const __m256i mask = _mm256_set1_epi8(15);
    __m256i bytes = _mm256_loadu_si256((const void *)code);
    __m256i low = _mm256_loadu_si256((const void *)query);
    __m256i high = _mm256_loadu_si256((const void *)(query + 64));
    __m256i above = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), mask);
    sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(_mm256_and_si256(bytes, mask), low));
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(above, high));
}

/* Four steps fit in 16 bits: 4 * 4 * 15 * 127 < 2^15. */
AVX2 static void avx2_dots_of_nibbles(const int8_t *query, const uint8_t *codes, size_t n,
                                      size_t size, int32_t *sums)
{
    for (size_t i = 0; i < n; i++, codes += size) {
        __m256i s = _mm256_setzero_si256();
        for (size_t from = 0; from < size; from += 128) {
            size_t to = size - from < 128 ? size : from + 128;
            __m256i sum = _mm256_setzero_si256();
            for (size_t j = from; j < to; j += 64) {
                sum = add_nibbles(sum, codes + j, query + 2 * j);
                sum = add_nibbles(sum, codes + j + 32, query + 2 * j + 32);
            }
            s = _mm256_add_epi32(s, _mm256_madd_epi16(sum, _mm256_set1_epi16(1)));
        }
        sums[i] = (int32_t)add_int32_lanes(s);
    }
}

__attribute__((target("popcnt"))) static int32_t sum_of_bits(const uint64_t *planes,
                                                             const uint8_t *bits, size_t bytes)
{
    int64_t count[VECTOR_PLANES] = {0};
    for (size_t at = 0; at < bytes; at += 8, planes += VECTOR_PLANE_WORDS) {
        uint64_t word = vector_word(bits + at, bytes - at);
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
            s[j] += (uint64_t)_mm_popcnt_u64(vector_word(p + at + 8 * j, 8) ^
                                             vector_word(q + at + 8 * j, 8));
    }
    for (; at < bytes; at += 8)
        s[0] += (uint64_t)_mm_popcnt_u64(vector_word(p + at, bytes - at) ^
                                         vector_word(q + at, bytes - at));
    return (s[0] + s[1]) + (s[2] + s[3]);
}

const struct vector_kernels vector_kernels_avx2 = {
    .name = "avx2",
    KERNELS_OF_EACH,
    .dots_int8 = avx2_dots_int8,
    .sums_of_bits = popcnt_sums_of_bits,
    .dots_of_nibbles = avx2_dots_of_nibbles,
    .hamming = vector_kernels_popcnt_hamming,
};

#endif
