/*
 * gemm_amx.c: sums of tiles of up to 32 rows times 32 columns, for x86-64 with AMX (Intel: Intel 64
 * and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18). The rest of the
 * family is that of AVX-512.
 *
 * Four tile registers hold the sums of 16 rows times 16 columns each. A step loads 64 bytes of 32
 * rows and of 32 columns, twice 16, and multiplies each with each. A panel's layout is what the
 * instructions want: groups of 4 bytes of each column, side by side. What is left of a row behind
 * the last 64 bytes is copied, with zeros behind it.
 */
#include "local/simd/gemm.h"

#ifdef PROCESSOR_MAY_HAVE_AMX

#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("avx512f,amx-tile,amx-int8,amx-bf16")))
#define INLINE TARGET __attribute__((always_inline)) static inline

#define ROWS 16                            /* of a tile register */
#define LINE 64                            /* bytes of its rows */
#define PANEL_LINE ((size_t)2 * LINE)      /* of a panel: 4 bytes of 32 columns */
#define PANEL_STEP (LINE / 4 * PANEL_LINE) /* bytes of a panel that 64 bytes of a row meet */

/* Registers: 0, 1: the sums of the first 16 rows; 2, 3: of the others; 4, 5: rows; 6, 7:
 * columns. */
struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t line_bytes[16];
    uint8_t n_rows[16];
};

/* What is stored so far is in memory: gcc 12 does not know that tiles are loaded from there. */
INLINE void is_read(const void *memory)
{
    __asm__ volatile("" : : "r"(memory) : "memory");
}

/* A row's register has as many rows as there are, so that none behind the last one is read. */
TARGET static void prepare(struct gemm_tile *tile)
{
    struct tile_config config = {.palette = 1};
    size_t upper = tile->n_rows < ROWS ? tile->n_rows : ROWS, lower = tile->n_rows - upper;
    size_t n_rows[8] = {upper, upper, lower, lower, upper, lower, ROWS, ROWS};
    for (size_t i = 0; i < 8; i++) {
        config.n_rows[i] = (uint8_t)n_rows[i];
        config.line_bytes[i] = n_rows[i] == 0 ? 0 : LINE;
    }
    is_read(&config);
    _tile_loadconfig(&config);
    tile->prepared = tile->n_rows;
}

/* One step: rows at `row`, columns at `panel`. */
INLINE void add_step(int is_int8, int has_lower, const unsigned char *row, size_t row_bytes,
                     const unsigned char *panel)
{
    _tile_loadd(4, row, row_bytes);
    _tile_loadd(6, panel, PANEL_LINE);
    _tile_loadd(7, panel + LINE, PANEL_LINE);
    if (is_int8) {
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 4, 7);
    } else {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
    }
    if (!has_lower) return;
    _tile_loadd(5, row + ROWS * row_bytes, row_bytes);
    if (is_int8) {
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
    } else {
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
}

/* The last bytes of the rows, fewer than 64. */
INLINE void add_rest(int is_int8, int has_lower, const struct gemm_tile *tile,
                     const unsigned char *row, size_t row_bytes, const unsigned char *panel,
                     size_t n)
{
    _Alignas(LINE) unsigned char rows[2 * ROWS][LINE] = {{0}}, columns[PANEL_STEP] = {0};
    for (size_t r = 0; r < tile->n_rows; r++) memcpy(rows[r], row + r * row_bytes, n);
    memcpy(columns, panel, n / 4 * PANEL_LINE);
    is_read(rows);
    is_read(columns);
    add_step(is_int8, has_lower, rows[0], LINE, columns);
}

INLINE void sum_up(int is_int8, int has_lower, const struct gemm_tile *tile)
{
    size_t row_bytes = gemm_row_bytes(tile->matrix->precision, tile->rows), at = 0;
    const unsigned char *row = gemm_row(tile, 0), *panel = tile->panel, *ahead = tile->ahead;
    _tile_zero(0);
    _tile_zero(1);
    if (has_lower) {
        _tile_zero(2);
        _tile_zero(3);
    }
    for (; at + LINE <= row_bytes; at += LINE, panel += PANEL_STEP) {
        for (size_t i = 0; i < PANEL_STEP && ahead < tile->ahead_end; i += 64, ahead += 64)
            _mm_prefetch((const char *)ahead, _MM_HINT_T1);
        add_step(is_int8, has_lower, row + at, row_bytes, panel);
    }
    if (at < row_bytes)
        add_rest(is_int8, has_lower, tile, row + at, row_bytes, panel, row_bytes - at);
    _tile_stored(0, tile->sums->whole, 2 * LINE);
    _tile_stored(1, tile->sums->whole + ROWS, 2 * LINE);
    if (!has_lower) return;
    _tile_stored(2, tile->sums->whole + 2 * ROWS * ROWS, 2 * LINE);
    _tile_stored(3, tile->sums->whole + 2 * ROWS * ROWS + ROWS, 2 * LINE);
}

TARGET void amx_sum_dot2(struct gemm_tile *tile)
{
    if (tile->prepared != tile->n_rows) prepare(tile);
    if (tile->n_rows > ROWS) sum_up(0, 1, tile);
    else sum_up(0, 0, tile);
}

TARGET void amx_sum_dot4(struct gemm_tile *tile)
{
    if (tile->prepared != tile->n_rows) prepare(tile);
    if (tile->n_rows > ROWS) sum_up(1, 1, tile);
    else sum_up(1, 0, tile);
}

TARGET void amx_end(void)
{
    _tile_release();
}

#endif
