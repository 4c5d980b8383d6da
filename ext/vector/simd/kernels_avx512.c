/*
 * kernels_avx512.c: 16 floats at a time, for x86-64 with AVX-512 F and BW (2017 on), and a second
 * table for those with VNNI and VPOPCNTDQ.
 *
 * As kernels_avx2.c, with mask registers for what is left over. A bit code is a mask as it lies in
 * memory: it lets 64 components of the query through, which are added up as bytes. With VPOPCNTDQ
 * it is a tenth faster to count what it has in common with the planes of the query, all in one
 * register.
 */
#include "vector/simd/kernels.h"

#ifdef VECTOR_HAS_X86

#include <immintrin.h>
#include <string.h>

#define AVX512 __attribute__((target("avx512f,avx512bw")))
#define VNNI __attribute__((target("avx512f,avx512bw,avx512vnni,avx512vpopcntdq")))
#define WIDE 64 /* bytes of a register */

AVX512 static inline __m512 load(const unsigned char *p)
{
    return _mm512_loadu_ps(p);
}

/* The first `count` (0 to 15) floats at p, then zeros. */
AVX512 static inline __m512 load_first(const unsigned char *p, size_t count)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
}

AVX512 static inline double add_lanes(__m512 sum)
{
    return (double)_mm512_reduce_add_ps(sum);
}

AVX512 static double avx512_dot(const void *a, const void *b, size_t dimensions)
{
    const unsigned char *p = a, *q = b;
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    size_t left = dimensions;
    for (; left >= 64; left -= 64, p += 4 * WIDE, q += 4 * WIDE) {
        s0 = _mm512_fmadd_ps(load(p), load(q), s0);
        s1 = _mm512_fmadd_ps(load(p + WIDE), load(q + WIDE), s1);
        s2 = _mm512_fmadd_ps(load(p + 2 * WIDE), load(q + 2 * WIDE), s2);
        s3 = _mm512_fmadd_ps(load(p + 3 * WIDE), load(q + 3 * WIDE), s3);
    }
    for (; left >= 16; left -= 16, p += WIDE, q += WIDE) s0 = _mm512_fmadd_ps(load(p), load(q), s0);
    if (left > 0) s1 = _mm512_fmadd_ps(load_first(p, left), load_first(q, left), s1);
    return add_lanes(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

AVX512 static inline __m512 add_square(__m512 a, __m512 b, __m512 sum)
{
    __m512 difference = _mm512_sub_ps(a, b);
    return _mm512_fmadd_ps(difference, difference, sum);
}

AVX512 static double avx512_squared_l2(const void *a, const void *b, size_t dimensions)
{
    const unsigned char *p = a, *q = b;
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    size_t left = dimensions;
    for (; left >= 64; left -= 64, p += 4 * WIDE, q += 4 * WIDE) {
        s0 = add_square(load(p), load(q), s0);
        s1 = add_square(load(p + WIDE), load(q + WIDE), s1);
        s2 = add_square(load(p + 2 * WIDE), load(q + 2 * WIDE), s2);
        s3 = add_square(load(p + 3 * WIDE), load(q + 3 * WIDE), s3);
    }
    for (; left >= 16; left -= 16, p += WIDE, q += WIDE) s0 = add_square(load(p), load(q), s0);
    if (left > 0) s1 = add_square(load_first(p, left), load_first(q, left), s1);
    return add_lanes(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

/* Two registers for each of the three sums. */
struct six {
    __m512 ab[2], aa[2], bb[2];
};

AVX512 static inline void add_products(struct six *sums, int half, __m512 a, __m512 b)
{
    sums->ab[half] = _mm512_fmadd_ps(a, b, sums->ab[half]);
    sums->aa[half] = _mm512_fmadd_ps(a, a, sums->aa[half]);
    sums->bb[half] = _mm512_fmadd_ps(b, b, sums->bb[half]);
}

AVX512 static struct vector_sums avx512_sums(const void *a, const void *b, size_t dimensions)
{
    const unsigned char *p = a, *q = b;
    __m512 zero = _mm512_setzero_ps();
    struct six sums = {{zero, zero}, {zero, zero}, {zero, zero}};
    size_t left = dimensions;
    for (; left >= 32; left -= 32, p += 2 * WIDE, q += 2 * WIDE) {
        add_products(&sums, 0, load(p), load(q));
        add_products(&sums, 1, load(p + WIDE), load(q + WIDE));
    }
    for (; left >= 16; left -= 16, p += WIDE, q += WIDE) add_products(&sums, 0, load(p), load(q));
    if (left > 0) add_products(&sums, 1, load_first(p, left), load_first(q, left));
    return (struct vector_sums){
        .ab = add_lanes(_mm512_add_ps(sums.ab[0], sums.ab[1])),
        .aa = add_lanes(_mm512_add_ps(sums.aa[0], sums.aa[1])),
        .bb = add_lanes(_mm512_add_ps(sums.bb[0], sums.bb[1])),
    };
}

/* Four rows share each load of the vector; a row has two registers of sums. */
AVX512 static void dots_of_four(const float *vector, const float *rows, size_t dimensions,
                                float *dots)
{
    const unsigned char *p = (const unsigned char *)vector, *q[4];
    __m512 s[4][2];
    for (size_t r = 0; r < 4; r++) {
        q[r] = (const unsigned char *)(rows + r * dimensions);
        s[r][0] = s[r][1] = _mm512_setzero_ps();
    }
    size_t left = dimensions, at = 0;
    for (; left >= 32; left -= 32, at += 2 * WIDE) {
        __m512 v0 = load(p + at), v1 = load(p + at + WIDE);
#pragma GCC unroll 4 /* so that the sums stay in registers, here and below */
        for (size_t r = 0; r < 4; r++) {
            s[r][0] = _mm512_fmadd_ps(v0, load(q[r] + at), s[r][0]);
            s[r][1] = _mm512_fmadd_ps(v1, load(q[r] + at + WIDE), s[r][1]);
        }
    }
    if (left >= 16) {
        __m512 v0 = load(p + at);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) s[r][0] = _mm512_fmadd_ps(v0, load(q[r] + at), s[r][0]);
        left -= 16;
        at += WIDE;
    }
    if (left > 0) {
        __m512 v1 = load_first(p + at, left);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++)
            s[r][1] = _mm512_fmadd_ps(v1, load_first(q[r] + at, left), s[r][1]);
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < 4; r++) dots[r] = (float)add_lanes(_mm512_add_ps(s[r][0], s[r][1]));
}

AVX512 static void avx512_dots(const float *vector, const float *rows, size_t n_rows,
                               size_t dimensions, float *dots)
{
    size_t i = 0;
    for (; i + 4 <= n_rows; i += 4)
        dots_of_four(vector, rows + i * dimensions, dimensions, dots + i);
    for (; i < n_rows; i++) dots[i] = (float)avx512_dot(vector, rows + i * dimensions, dimensions);
}

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
AVX512 static void add_four_int8(const struct vector_rounded *query, const unsigned char *codes[4],
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
            size_t left = dimensions - from;
            size_t to = left < VECTOR_INT32_STRETCH ? dimensions : from + VECTOR_INT32_STRETCH;
            add_four_int8(query, four, from, to, totals);
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

VNNI static inline struct eight sum_four_int8(const struct vector_rounded *query,
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
        struct eight eight = sum_four_int8(query, four);
        __m256d high = _mm256_cvtepi32_pd(_mm_sub_epi32(add_lanes_of_four(eight.high), bias_high));
        __m256d low = _mm256_cvtepi32_pd(_mm_sub_epi32(add_lanes_of_four(eight.low), bias_low));
        __m256d whole = _mm256_add_pd(_mm256_mul_pd(high, _mm256_set1_pd(128.0)), low);
        float four_sums[4];
        _mm_storeu_ps(four_sums, _mm256_cvtpd_ps(whole));
        if (n - i >= 4) memcpy(sums + i, four_sums, sizeof four_sums);
        else memcpy(sums + i, four_sums, (n - i) * sizeof *sums);
    }
}

/* The query's bytes that a word of a code lets through. */
AVX512 static inline __m512i select_bytes(const unsigned char *word, __m512i bytes)
{
    uint64_t mask;
    memcpy(&mask, word, sizeof mask);
    return _mm512_maskz_mov_epi8(mask, bytes);
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

static inline void store_four(__m128i four, size_t n, int32_t *sums)
{
    if (n >= 4) memcpy(sums, &four, sizeof four);
    else memcpy(sums, &four, n * sizeof *sums);
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
    long long bits = 0;
    if (size >= 8) memcpy(&bits, word, 8);
    else memcpy(&bits, word, size);
    __m512i common = _mm512_and_si512(planes, _mm512_set1_epi64(bits));
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

AVX512 static void avx512_signs(float *vector, const uint64_t *bits, size_t n)
{
    const __m512i sign = _mm512_set1_epi32(INT32_MIN);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m512i x = _mm512_loadu_si512(vector + i);
        __mmask16 flip = (__mmask16)(bits[i / 64] >> (i % 64));
        _mm512_storeu_si512(vector + i, _mm512_mask_xor_epi32(x, flip, x, sign));
    }
    for (; i < n; i++)
        if (bits[i / 64] >> (i % 64) & 1) vector[i] = -vector[i];
}

AVX512 static inline void butterfly(__m512 *a, __m512 *b)
{
    __m512 sum = _mm512_add_ps(*a, *b);
    *b = _mm512_sub_ps(*a, *b);
    *a = sum;
}

AVX512 static inline void butterflies_of_four(__m512 x[4])
{
    butterfly(&x[0], &x[1]);
    butterfly(&x[2], &x[3]);
    butterfly(&x[0], &x[2]);
    butterfly(&x[1], &x[3]);
}

/* Each lane meets its partner. The one below it, named in the mask, gets partner - itself. */
AVX512 static inline __m512 meet(__m512 x, __m512 partner, __mmask16 below)
{
    return _mm512_mask_sub_ps(_mm512_add_ps(x, partner), below, partner, x);
}

/* The strides 1, 2, 4 and 8. */
AVX512 static inline __m512 transform_lanes(__m512 x)
{
    x = meet(x, _mm512_permute_ps(x, 0xB1), 0xAAAA);
    x = meet(x, _mm512_permute_ps(x, 0x4E), 0xCCCC);
    x = meet(x, _mm512_shuffle_f32x4(x, x, 0xB1), 0xF0F0);
    return meet(x, _mm512_shuffle_f32x4(x, x, 0x4E), 0xFF00);
}

/* Two strides, `stride` and twice that, in one pass. */
AVX512 static void transform_two_strides(float *vector, size_t n, size_t stride)
{
    for (size_t at = 0; at < n; at += 4 * stride) {
        for (size_t i = at; i < at + stride; i += 16) {
            __m512 x[4];
#pragma GCC unroll 4
            for (size_t j = 0; j < 4; j++) x[j] = _mm512_loadu_ps(vector + i + j * stride);
            butterflies_of_four(x);
#pragma GCC unroll 4
            for (size_t j = 0; j < 4; j++) _mm512_storeu_ps(vector + i + j * stride, x[j]);
        }
    }
}

/* The strides 1 to 32, or 1 to 8 of a short vector; returns the next. */
AVX512 static size_t transform_short_strides(float *vector, size_t n, float factor)
{
    __m512 factors = _mm512_set1_ps(factor);
    size_t wide = n >= 64 ? 4 : 1;
    for (size_t i = 0; i < n; i += 16 * wide) {
        __m512 x[4];
        for (size_t j = 0; j < wide; j++)
            x[j] = transform_lanes(_mm512_mul_ps(_mm512_loadu_ps(vector + i + 16 * j), factors));
        if (wide == 4) butterflies_of_four(x);
        for (size_t j = 0; j < wide; j++) _mm512_storeu_ps(vector + i + 16 * j, x[j]);
    }
    return 16 * wide;
}

AVX512 static void avx512_hadamard(float *vector, size_t n, float factor)
{
    if (n < 16) {
        vector_kernels_scalar_hadamard(vector, n, factor);
        return;
    }
    size_t stride = transform_short_strides(vector, n, factor);
    for (; 4 * stride <= n; stride *= 4) transform_two_strides(vector, n, stride);
    if (2 * stride > n) return;
    for (size_t i = 0; i < stride; i += 16) {
        __m512 a = _mm512_loadu_ps(vector + i), b = _mm512_loadu_ps(vector + stride + i);
        butterfly(&a, &b);
        _mm512_storeu_ps(vector + i, a);
        _mm512_storeu_ps(vector + stride + i, b);
    }
}

/* Eight components of an encoding as doubles. */
struct components {
    __m512d c, r;
};

AVX512 static inline struct components load_components(const struct vector_encoding *encoding,
                                                       size_t i)
{
    struct components eight = {_mm512_setzero_pd(),
                               _mm512_cvtps_pd(_mm256_loadu_ps(encoding->vector + i))};
    if (encoding->centroid != NULL) {
        eight.c = _mm512_cvtps_pd(_mm256_loadu_ps(encoding->centroid + i));
        eight.r = _mm512_sub_pd(eight.r, eight.c);
    }
    return eight;
}

AVX512 static void avx512_spread(struct vector_encoding *encoding)
{
    __m512d largest = _mm512_loadu_pd(encoding->sums[0]);
    __m512d magnitudes = _mm512_loadu_pd(encoding->sums[1]);
    __m512d squares = _mm512_loadu_pd(encoding->sums[2]);
    for (size_t i = 0; i < encoding->n; i += 8) {
        __m512d r = load_components(encoding, i).r, magnitude = _mm512_abs_pd(r);
        largest = _mm512_max_pd(magnitude, largest);
        magnitudes = _mm512_add_pd(magnitudes, magnitude);
        squares = _mm512_add_pd(squares, _mm512_mul_pd(r, r));
    }
    _mm512_storeu_pd(encoding->sums[0], largest);
    _mm512_storeu_pd(encoding->sums[1], magnitudes);
    _mm512_storeu_pd(encoding->sums[2], squares);
}

AVX512 static inline void load_sums(const struct vector_encoding *encoding, __m512d s[3])
{
    for (size_t j = 0; j < 3; j++) s[j] = _mm512_loadu_pd(encoding->sums[j]);
}

AVX512 static inline void store_sums(struct vector_encoding *encoding, const __m512d s[3])
{
    for (size_t j = 0; j < 3; j++) _mm512_storeu_pd(encoding->sums[j], s[j]);
}

AVX512 static inline void add_components(__m512d s[3], struct components eight, __m512d k,
                                         __m512d scale)
{
    __m512d e = _mm512_sub_pd(_mm512_mul_pd(scale, k), eight.r);
    s[0] = _mm512_add_pd(s[0], _mm512_mul_pd(e, e));
    s[1] = _mm512_add_pd(s[1], _mm512_mul_pd(eight.c, e));
    s[2] = _mm512_add_pd(s[2], _mm512_mul_pd(eight.c, k));
}

AVX512 static void avx512_round_int8(struct vector_encoding *encoding, int8_t *components)
{
    __m512d s[3], scale = _mm512_set1_pd(encoding->scale);
    __m512d units = _mm512_set1_pd(encoding->units);
    const __m512i sign = _mm512_set1_epi64(INT64_MIN);
    const __m512i half = _mm512_castpd_si512(_mm512_set1_pd(0.5));
    load_sums(encoding, s);
    for (size_t i = 0; i < encoding->n; i += 8) {
        struct components eight = load_components(encoding, i);
        __m512d exact = _mm512_mul_pd(eight.r, units);
        __m512i away = _mm512_or_si512(_mm512_and_si512(_mm512_castpd_si512(exact), sign), half);
        __m256i whole = _mm512_cvttpd_epi32(_mm512_add_pd(exact, _mm512_castsi512_pd(away)));
        __m128i bytes = _mm512_cvtepi32_epi8(_mm512_castsi256_si512(whole));
        add_components(s, eight, _mm512_cvtepi32_pd(whole), scale);
        _mm_storel_epi64((__m128i *)(void *)(components + i), bytes);
    }
    store_sums(encoding, s);
}

AVX512 static void avx512_take_signs(struct vector_encoding *encoding, uint8_t *bits)
{
    __m512d s[3], scale = _mm512_set1_pd(encoding->scale);
    __m512d plus = _mm512_set1_pd(1.0), minus = _mm512_set1_pd(-1.0), zero = _mm512_setzero_pd();
    load_sums(encoding, s);
    for (size_t i = 0; i < encoding->n; i += 8) {
        struct components eight = load_components(encoding, i);
        __mmask8 positive = _mm512_cmp_pd_mask(eight.r, zero, _CMP_GE_OQ);
        add_components(s, eight, _mm512_mask_blend_pd(positive, minus, plus), scale);
        bits[i / 8] = (uint8_t)positive;
    }
    store_sums(encoding, s);
}

const struct vector_kernels vector_kernels_avx512 = {
    .name = "avx512",
    .dot = avx512_dot,
    .squared_l2 = avx512_squared_l2,
    .sums = avx512_sums,
    .dots = avx512_dots,
    .dots_int8 = avx512_dots_int8,
    .sums_of_bits = avx512_sums_of_bits,
    .hamming = vector_kernels_popcnt_hamming,
    .add = vector_kernels_avx2_add,
    .add_int8 = vector_kernels_avx2_add_int8,
    .signs = avx512_signs,
    .hadamard = avx512_hadamard,
    .mix = vector_kernels_avx2_mix,
    .spread = avx512_spread,
    .round_int8 = avx512_round_int8,
    .take_signs = avx512_take_signs,
};

const struct vector_kernels vector_kernels_avx512vnni = {
    .name = "avx512vnni",
    .dot = avx512_dot,
    .squared_l2 = avx512_squared_l2,
    .sums = avx512_sums,
    .dots = avx512_dots,
    .dots_int8 = vnni_dots_int8,
    .sums_of_bits = vpopcnt_sums_of_bits,
    .hamming = vpopcnt_hamming,
    .add = vector_kernels_avx2_add,
    .add_int8 = vector_kernels_avx2_add_int8,
    .signs = avx512_signs,
    .hadamard = avx512_hadamard,
    .mix = vector_kernels_avx2_mix,
    .spread = avx512_spread,
    .round_int8 = avx512_round_int8,
    .take_signs = avx512_take_signs,
};

#endif
