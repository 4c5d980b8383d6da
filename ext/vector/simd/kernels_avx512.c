/*
 * kernels_avx512.c: 16 floats at a time, for x86-64 with AVX-512 F and BW (2017 on), and a second
 * table for those with VNNI and VPOPCNTDQ.
 *
 * Mask registers let through what is left over. A bit code is a mask as it lies in memory: it lets
 * 64 components of the query through, which are added up as bytes. With VPOPCNTDQ it is a tenth
 * faster to count what it has in common with the planes of the query, all in one register.
 */
#include "vector/simd/kernels.h"

#ifdef PROCESSOR_HAS_X86

#include <immintrin.h>
#include <string.h>

#define FAMILY(name) avx512_##name
#define AVX512 __attribute__((target("avx512f,avx512bw")))
#define VNNI __attribute__((target("avx512f,avx512bw,avx512vnni,avx512vpopcntdq")))
#define TARGET AVX512
#define LANES 16
#define REGISTERS 2
#define DOUBLES 8

typedef __m512 lanes;
typedef __m512d doubles;
typedef __m256i integers;

AVX512 static inline lanes load(const void *p)
{
    return _mm512_loadu_ps(p);
}

AVX512 static inline lanes load_first(const void *p, size_t count)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
}

AVX512 static inline void store(float *p, lanes a)
{
    _mm512_storeu_ps(p, a);
}

AVX512 static inline lanes all(float value)
{
    return _mm512_set1_ps(value);
}

AVX512 static inline lanes widen_int8(const int8_t *p)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}

AVX512 static inline lanes widen_halves(const void *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256(p));
}

AVX512 static inline lanes fused(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_ps(a, b, c);
}

AVX512 static inline double sum_of(lanes a)
{
    return (double)_mm512_reduce_add_ps(a);
}

AVX512 static inline lanes negate_where(lanes a, uint64_t bits)
{
    __m512i x = _mm512_castps_si512(a), sign = _mm512_set1_epi32(INT32_MIN);
    return _mm512_castsi512_ps(_mm512_mask_xor_epi32(x, (__mmask16)bits, x, sign));
}

/* Each lane meets its partner. The one below it, named in the mask, gets partner - itself. */
AVX512 static inline __m512 meet(__m512 x, __m512 partner, __mmask16 below)
{
    return _mm512_mask_sub_ps(_mm512_add_ps(x, partner), below, partner, x);
}

AVX512 static inline __m512 transform_lanes(__m512 x)
{
    x = meet(x, _mm512_permute_ps(x, 0xB1), 0xAAAA);
    x = meet(x, _mm512_permute_ps(x, 0x4E), 0xCCCC);
    x = meet(x, _mm512_shuffle_f32x4(x, x, 0xB1), 0xF0F0);
    return meet(x, _mm512_shuffle_f32x4(x, x, 0x4E), 0xFF00);
}

AVX512 static inline doubles load_doubles(const double *p)
{
    return _mm512_loadu_pd(p);
}

AVX512 static inline void store_doubles(double *p, doubles a)
{
    _mm512_storeu_pd(p, a);
}

AVX512 static inline doubles widen(const float *p)
{
    return _mm512_cvtps_pd(_mm256_loadu_ps(p));
}

AVX512 static inline doubles all_doubles(double value)
{
    return _mm512_set1_pd(value);
}

AVX512 static inline doubles magnitude(doubles a)
{
    return _mm512_abs_pd(a);
}

AVX512 static inline doubles max_of(doubles a, doubles b)
{
    return _mm512_max_pd(a, b);
}

AVX512 static inline integers round_away(doubles a)
{
    const __m512i half = _mm512_castpd_si512(_mm512_set1_pd(0.5));
    __m512i sign = _mm512_and_si512(_mm512_castpd_si512(a), _mm512_set1_epi64(INT64_MIN));
    __m512d away = _mm512_castsi512_pd(_mm512_or_si512(sign, half));
    return _mm512_cvttpd_epi32(_mm512_add_pd(a, away));
}

AVX512 static inline doubles doubles_of(integers a)
{
    return _mm512_cvtepi32_pd(a);
}

AVX512 static inline void store_int8(int8_t *p, const integers a[1])
{
    __m128i bytes = _mm512_cvtepi32_epi8(_mm512_castsi256_si512(a[0]));
    _mm_storel_epi64((__m128i *)(void *)p, bytes);
}

AVX512 static inline unsigned take_sign(doubles a, doubles *k)
{
    __mmask8 positive = _mm512_cmp_pd_mask(a, _mm512_setzero_pd(), _CMP_GE_OQ);
    *k = _mm512_mask_blend_pd(positive, _mm512_set1_pd(-1.0), _mm512_set1_pd(1.0));
    return positive;
}

AVX512 static inline unsigned at_least(lanes a, lanes b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ);
}

AVX512 static inline void add_sixteen_where(int32_t *sums, uint32_t bits, __m512i values)
{
    __m512i before = _mm512_loadu_si512(sums);
    _mm512_storeu_si512(sums, _mm512_mask_add_epi32(before, (__mmask16)bits, before, values));
}

AVX512 static void avx512_add_where(int32_t *restrict sums, const uint8_t *restrict bits,
                                    int32_t value, size_t n)
{
    const __m512i values = _mm512_set1_epi32(value);
    for (size_t i = 0; i < n; i += 32) {
        uint32_t word;
        memcpy(&word, bits + i / 8, sizeof word);
        add_sixteen_where(sums + i, word, values);
        add_sixteen_where(sums + i + 16, word >> 16, values);
    }
}
#define OWN_ADD_WHERE

#include "vector/simd/kernels_each.h"

/* ---- codes ----------------------------------------------------------------------------------- */

/* Codes are met four at a time; of fewer, the last stands in for those that are missing. */
static inline void four_codes(const unsigned char *codes, size_t left, size_t size,
                              const unsigned char *four[4])
{
    four[0] = codes;
    for (size_t r = 1; r < 4; r++) four[r] = four[r - 1] + (r < left ? size : 0);
}

/* The sums of the lanes of four registers. */
AVX512 static inline __m128i add_lanes_of_four(const __m512i s[4])
{
    __m512i a =
        _mm512_add_epi32(_mm512_unpacklo_epi32(s[0], s[1]), _mm512_unpackhi_epi32(s[0], s[1]));
    __m512i b =
        _mm512_add_epi32(_mm512_unpacklo_epi32(s[2], s[3]), _mm512_unpackhi_epi32(s[2], s[3]));
    __m512i c = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    __m256i d = _mm256_add_epi32(_mm512_castsi512_si256(c), _mm512_extracti64x4_epi64(c, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(d), _mm256_extracti128_si256(d, 1));
}

AVX512 static inline __m512i load_bytes(const void *p)
{
    return _mm512_loadu_si512(p);
}

/* The first `count` (1 to 63) bytes at p, then zeros. */
AVX512 static inline __m512i load_first_bytes(const void *p, size_t count)
{
    return _mm512_maskz_loadu_epi8(((__mmask64)1 << count) - 1, p);
}

AVX512 static inline __m512i add_madd(__m512i sum, __m512i whole, __m256i code)
{
    return _mm512_add_epi32(sum, _mm512_madd_epi16(whole, _mm512_cvtepi8_epi16(code)));
}

/* Components from..to of four codes, at most VECTOR_INT32_STRETCH, added to their sums. */
AVX512 static void add_dot4_int8(const struct vector_rounded *query, const unsigned char *codes[4],
                                 size_t from, size_t to, double totals[4])
{
    __m512i s[4];
    for (size_t r = 0; r < 4; r++) s[r] = _mm512_setzero_si512();
    size_t i = from;
    for (; i + 32 <= to; i += 32) {
        __m512i t = load_bytes(query->whole + i);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++)
            s[r] = add_madd(s[r], t, _mm256_loadu_si256((const void *)(codes[r] + i)));
    }
    if (i < to) {
        __m512i t = load_bytes(query->whole + i);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++)
            s[r] =
                add_madd(s[r], t, _mm512_castsi512_si256(load_first_bytes(codes[r] + i, to - i)));
    }
    /* A lane is near 2^31 at worst: they are added as doubles, which is exact. */
#pragma GCC unroll 4
    for (size_t r = 0; r < 4; r++) {
        __m512d low = _mm512_cvtepi32_pd(_mm512_castsi512_si256(s[r]));
        __m512d high = _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(s[r], 1));
        totals[r] += _mm512_reduce_add_pd(_mm512_add_pd(low, high));
    }
}

AVX512 static void avx512_dots_int8(const struct vector_rounded *query, const int8_t *codes,
                                    size_t n, float *sums)
{
    size_t dimensions = query->dimensions;
    for (size_t i = 0; i < n; i += 4) {
        const unsigned char *four[4];
        double totals[4] = {0.0};
        four_codes((const unsigned char *)codes + i * dimensions, n - i, dimensions, four);
        for (size_t from = 0; from < dimensions; from += VECTOR_INT32_STRETCH) {
            add_dot4_int8(query, four, from, vector_stretch_end(from, dimensions), totals);
        }
        for (size_t r = 0; r < 4 && i + r < n; r++) sums[i + r] = (float)totals[r];
    }
}

/* Two registers of sums for each of four codes: of the high and of the low parts of the query. */
struct eight {
    __m512i high[4], low[4];
};

/* vpdpbusd multiplies unsigned by signed bytes: a code's components come with 128 added. */
VNNI static inline void add_biased(struct eight *sums, size_t r, __m512i code, __m512i high,
                                   __m512i low)
{
    __m512i biased = _mm512_xor_si512(code, _mm512_set1_epi8(-128));
    sums->high[r] = _mm512_dpbusd_epi32(sums->high[r], biased, high);
    sums->low[r] = _mm512_dpbusd_epi32(sums->low[r], biased, low);
}

VNNI static inline struct eight dot4_int8(const struct vector_rounded *query,
                                          const unsigned char *codes[4])
{
    struct eight sums;
    size_t i = 0, dimensions = query->dimensions;
    for (size_t r = 0; r < 4; r++) sums.high[r] = sums.low[r] = _mm512_setzero_si512();
    for (; i + 64 <= dimensions; i += 64) {
        __m512i high = load_bytes(query->high + i), low = load_bytes(query->low + i);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) add_biased(&sums, r, load_bytes(codes[r] + i), high, low);
    }
    if (i < dimensions) {
        __m512i high = load_bytes(query->high + i), low = load_bytes(query->low + i);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++)
            add_biased(&sums, r, load_first_bytes(codes[r] + i, dimensions - i), high, low);
    }
    return sums;
}

/* 128 times the sum of a query's bytes, in each lane: what the bias adds. */
VNNI static __m128i sum_of_bias(const int8_t *bytes, size_t dimensions)
{
    __m512i sum = _mm512_setzero_si512();
    for (size_t i = 0; i < dimensions; i += 64)
        sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(-128), load_bytes(bytes + i));
    return _mm_set1_epi32(_mm512_reduce_add_epi32(sum));
}

/* Sums are at most 255 * 127 * 65536 < 2^31 in magnitude. */
VNNI static void vnni_dots_int8(const struct vector_rounded *query, const int8_t *codes, size_t n,
                                float *sums)
{
    size_t dimensions = query->dimensions;
    __m128i bias_high = sum_of_bias(query->high, dimensions);
    __m128i bias_low = sum_of_bias(query->low, dimensions);
    for (size_t i = 0; i < n; i += 4) {
        const unsigned char *four[4];
        four_codes((const unsigned char *)codes + i * dimensions, n - i, dimensions, four);
        struct eight eight = dot4_int8(query, four);
        __m256d high = _mm256_cvtepi32_pd(_mm_sub_epi32(add_lanes_of_four(eight.high), bias_high));
        __m256d low = _mm256_cvtepi32_pd(_mm_sub_epi32(add_lanes_of_four(eight.low), bias_low));
        __m256d whole = _mm256_add_pd(_mm256_mul_pd(high, _mm256_set1_pd(128.0)), low);
        float four_sums[4];
        _mm_storeu_ps(four_sums, _mm256_cvtpd_ps(whole));
        if (n - i >= 4) memcpy(sums + i, four_sums, sizeof four_sums);
        else memcpy(sums + i, four_sums, (n - i) * sizeof *sums);
    }
}

/* Adds in 16 bits, of one step: two products and two more of at most 15 * 127 each. */
AVX512 static inline __m512i add_nibbles(__m512i sum, __m512i code, __m512i low, __m512i high)
{
    const __m512i mask = _mm512_set1_epi8(15);
    __m512i above = _mm512_and_si512(_mm512_srli_epi16(code, 4), mask);
    sum = _mm512_add_epi16(sum, _mm512_maddubs_epi16(_mm512_and_si512(code, mask), low));
    return _mm512_add_epi16(sum, _mm512_maddubs_epi16(above, high));
}

/* Four codes side by side are fetched less well ahead of time than one after the other: a step asks
 * for as many lines as it reads, so far behind them. */
#define FETCHED_AHEAD 4096

AVX512 static inline void fetch_ahead(const unsigned char *codes, size_t j, size_t r)
{
    _mm_prefetch((const char *)codes + FETCHED_AHEAD + 4 * j + 64 * r, _MM_HINT_T0);
}

/* Four steps fit in 16 bits: 4 * 4 * 15 * 127 < 2^15. */
AVX512 static inline void add_dot4_of_nibbles(const int8_t *query, const unsigned char *codes[4],
                                              size_t from, size_t to, __m512i s[4])
{
    __m512i sums[4];
    for (size_t r = 0; r < 4; r++) sums[r] = _mm512_setzero_si512();
    for (size_t j = from; j < to; j += 64) {
        __m512i low = load_bytes(query + 2 * j), high = load_bytes(query + 2 * j + 64);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) {
            fetch_ahead(codes[0], j, r);
            sums[r] = add_nibbles(sums[r], load_bytes(codes[r] + j), low, high);
        }
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < 4; r++)
        s[r] = _mm512_add_epi32(s[r], _mm512_madd_epi16(sums[r], _mm512_set1_epi16(1)));
}

static inline void store_four(__m128i four, size_t n, int32_t *sums)
{
    if (n >= 4) memcpy(sums, &four, sizeof four);
    else memcpy(sums, &four, n * sizeof *sums);
}

AVX512 static void avx512_dots_of_nibbles(const int8_t *query, const uint8_t *codes, size_t n,
                                          size_t size, int32_t *sums)
{
    for (size_t i = 0; i < n; i += 4) {
        const unsigned char *four[4];
        __m512i s[4];
        four_codes(codes + i * size, n - i, size, four);
        for (size_t r = 0; r < 4; r++) s[r] = _mm512_setzero_si512();
        for (size_t j = 0; j < size; j += 256)
            add_dot4_of_nibbles(query, four, j, size - j < 256 ? size : j + 256, s);
        store_four(add_lanes_of_four(s), n - i, sums + i);
    }
}

/* The high halves are not shifted but masked: their sums are 16 times as large, at most 512 * 4 *
 * 240 * 127 < 2^31 a lane. */
VNNI static inline struct eight dot4_of_nibbles(const int8_t *query, const unsigned char *codes[4],
                                                size_t size)
{
    const __m512i mask = _mm512_set1_epi8(15);
    struct eight sums;
    for (size_t r = 0; r < 4; r++) sums.high[r] = sums.low[r] = _mm512_setzero_si512();
    for (size_t j = 0; j < size; j += 64) {
        __m512i low = load_bytes(query + 2 * j), high = load_bytes(query + 2 * j + 64);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) {
            __m512i code = load_bytes(codes[r] + j);
            fetch_ahead(codes[0], j, r);
            sums.low[r] = _mm512_dpbusd_epi32(sums.low[r], _mm512_and_si512(code, mask), low);
            sums.high[r] = _mm512_dpbusd_epi32(sums.high[r], _mm512_andnot_si512(mask, code), high);
        }
    }
    return sums;
}

VNNI static void vnni_dots_of_nibbles(const int8_t *query, const uint8_t *codes, size_t n,
                                      size_t size, int32_t *sums)
{
    for (size_t i = 0; i < n; i += 4) {
        const unsigned char *four[4];
        four_codes(codes + i * size, n - i, size, four);
        struct eight eight = dot4_of_nibbles(query, four, size);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++)
            eight.low[r] = _mm512_add_epi32(eight.low[r], _mm512_srai_epi32(eight.high[r], 4));
        store_four(add_lanes_of_four(eight.low), n - i, sums + i);
    }
}

/* The query's bytes that a word of a code lets through. */
AVX512 static inline __m512i select_bytes(const unsigned char *word, __m512i bytes)
{
    return _mm512_maskz_mov_epi8(vector_word(word, 8), bytes);
}

/* The same of the last 1 to 7 bytes of a code. */
AVX512 static inline __m512i select_last_bytes(const unsigned char *word, size_t size,
                                               __m512i bytes)
{
    uint64_t mask = 0;
    memcpy(&mask, word, size);
    return _mm512_maskz_mov_epi8(mask, bytes);
}

AVX512 static inline __m512i add_bytes(__m512i sum, __m512i bytes)
{
    __m512i pairs = _mm512_maddubs_epi16(_mm512_set1_epi8(1), bytes);
    return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

AVX512 static void avx512_sums_of_bits(const struct vector_rounded *query, const uint8_t *codes,
                                       size_t n, int32_t *sums)
{
    size_t size = (query->dimensions + 7) / 8;
    for (size_t i = 0; i < n; i += 4) {
        const unsigned char *four[4];
        __m512i s[4];
        size_t at = 0;
        four_codes(codes + i * size, n - i, size, four);
        for (size_t r = 0; r < 4; r++) s[r] = _mm512_setzero_si512();
        for (; at + 8 <= size; at += 8) {
            __m512i bytes = load_bytes(query->high + 8 * at);
#pragma GCC unroll 4
            for (size_t r = 0; r < 4; r++)
                s[r] = add_bytes(s[r], select_bytes(four[r] + at, bytes));
        }
        if (at < size) {
            __m512i bytes = load_bytes(query->high + 8 * at);
#pragma GCC unroll 4
            for (size_t r = 0; r < 4; r++)
                s[r] = add_bytes(s[r], select_last_bytes(four[r] + at, size - at, bytes));
        }
        store_four(add_lanes_of_four(s), n - i, sums + i);
    }
}

/* Counts, plane by plane, what 1 to 8 bytes of a code have in common with the query. */
VNNI static inline __m512i count_common(__m512i counts, __m512i planes, const unsigned char *word,
                                        size_t size)
{
    __m512i bits = _mm512_set1_epi64((long long)vector_word(word, size));
    __m512i common = _mm512_and_si512(planes, bits);
    return _mm512_add_epi64(counts, _mm512_popcnt_epi64(common));
}

VNNI static void vpopcnt_sums_of_bits(const struct vector_rounded *query, const uint8_t *codes,
                                      size_t n, int32_t *sums)
{
    const __m512i weights = _mm512_setr_epi64(1, 2, 4, 8, 16, -32, 0, 0); /* two's complement */
    size_t size = (query->dimensions + 7) / 8;
    for (size_t i = 0; i < n; i += 4) {
        const unsigned char *four[4];
        __m512i s[4];
        size_t at = 0;
        four_codes(codes + i * size, n - i, size, four);
        for (size_t r = 0; r < 4; r++) s[r] = _mm512_setzero_si512();
        for (; at + 8 <= size; at += 8) {
            __m512i planes = load_bytes(query->planes + at / 8 * VECTOR_PLANE_WORDS);
#pragma GCC unroll 4
            for (size_t r = 0; r < 4; r++) s[r] = count_common(s[r], planes, four[r] + at, 8);
        }
        if (at < size) {
            __m512i planes = load_bytes(query->planes + at / 8 * VECTOR_PLANE_WORDS);
#pragma GCC unroll 4
            for (size_t r = 0; r < 4; r++)
                s[r] = count_common(s[r], planes, four[r] + at, size - at);
        }
        /* Counts are below 2^17: the product of the low halves is all of it, the high half 0. */
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) s[r] = _mm512_mullo_epi32(s[r], weights);
        store_four(add_lanes_of_four(s), n - i, sums + i);
    }
}

VNNI static uint64_t vpopcnt_hamming(const void *a, const void *b, size_t bytes)
{
    const unsigned char *p = a, *q = b;
    __m512i s0 = _mm512_setzero_si512(), s1 = s0;
    size_t left = bytes;
    for (; left >= 2 * WIDE; left -= 2 * WIDE, p += 2 * WIDE, q += 2 * WIDE) {
        __m512i x0 = _mm512_xor_si512(load_bytes(p), load_bytes(q));
        __m512i x1 = _mm512_xor_si512(load_bytes(p + WIDE), load_bytes(q + WIDE));
        s0 = _mm512_add_epi64(s0, _mm512_popcnt_epi64(x0));
        s1 = _mm512_add_epi64(s1, _mm512_popcnt_epi64(x1));
    }
    if (left >= WIDE) {
        __m512i x = _mm512_xor_si512(load_bytes(p), load_bytes(q));
        s0 = _mm512_add_epi64(s0, _mm512_popcnt_epi64(x));
        left -= WIDE;
        p += WIDE;
        q += WIDE;
    }
    if (left > 0) {
        __m512i x = _mm512_xor_si512(load_first_bytes(p, left), load_first_bytes(q, left));
        s1 = _mm512_add_epi64(s1, _mm512_popcnt_epi64(x));
    }
    return (uint64_t)_mm512_reduce_add_epi64(_mm512_add_epi64(s0, s1));
}

const struct vector_kernels vector_kernels_avx512 = {
    .name = "avx512",
    KERNELS_OF_EACH,
    .dots_int8 = avx512_dots_int8,
    .sums_of_bits = avx512_sums_of_bits,
    .dots_of_nibbles = avx512_dots_of_nibbles,
    .hamming = vector_kernels_popcnt_hamming,
};

const struct vector_kernels vector_kernels_avx512vnni = {
    .name = "avx512vnni",
    KERNELS_OF_EACH,
    .dots_int8 = vnni_dots_int8,
    .sums_of_bits = vpopcnt_sums_of_bits,
    .dots_of_nibbles = vnni_dots_of_nibbles,
    .hamming = vpopcnt_hamming,
};

#endif
