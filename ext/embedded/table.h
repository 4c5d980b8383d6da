/*
 * table.h: pieces of words, each with a row of 384 signs and a scale: what builtin:static knows.
 *
 * table.bin is made by tests/golden/embedded/ (the README there says how, and NOTICE of what), and
 * becomes the array table_words when the library is built. Numbers are little-endian; the columns
 * follow each other, rows are in the order of their pieces' hashes:
 *   uint64 [1]                the first 8 bytes of the SHA-256 of all that follows
 *   uint8  [rows][48]         signs: bit j of byte i is component 8 i + j; set: +1, else -1
 *   uint32 [rows + 1]         where each piece begins in the text
 *   uint16 [buckets + 1]      the first row of each bucket: the upper 15 bits of a hash
 *   float16 [rows]            scale: the length of each component, with the idf of training in it
 *   float16 [rows]            that idf
 *   uint16 [rows]             the piece's number in BERT's uncased vocabulary
 *   uint8  [rows]             the next 8 bits of its hash
 *   the pieces one behind the other; those that go on with a word begin with ##
 */
#ifndef EMBEDDED_TABLE_H
#define EMBEDDED_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/rounding.h"
#include "base/span.h"

#define TABLE_ROWS 27729
#define TABLE_DIMENSIONS 384
#define TABLE_ROW_BYTES (TABLE_DIMENSIONS / 8)
#define TABLE_BUCKETS 32768
#define TABLE_TEXT 183313 /* bytes of all pieces */

/* Where the columns begin. */
enum {
    TABLE_SIGNS_AT = 8,
    TABLE_OFFSETS_AT = TABLE_SIGNS_AT + TABLE_ROWS * TABLE_ROW_BYTES,
    TABLE_STARTS_AT = TABLE_OFFSETS_AT + 4 * (TABLE_ROWS + 1),
    TABLE_SCALES_AT = TABLE_STARTS_AT + 2 * (TABLE_BUCKETS + 1),
    TABLE_IDF_AT = TABLE_SCALES_AT + 2 * TABLE_ROWS,
    TABLE_IDS_AT = TABLE_IDF_AT + 2 * TABLE_ROWS,
    TABLE_TAGS_AT = TABLE_IDS_AT + 2 * TABLE_ROWS,
    TABLE_TEXT_AT = TABLE_TAGS_AT + TABLE_ROWS,
    TABLE_WORDS = (TABLE_TEXT_AT + TABLE_TEXT + 7) / 8
};

/* table.bin, 8 bytes a number, the first one lowest. */
extern const uint64_t table_words[TABLE_WORDS];

#define TABLE_NONE UINT32_MAX /* no row */

#define TABLE_LONGEST 18 /* bytes of a piece */

/* The row of the longest piece that a text in small letters without accents begins with; `goes_on`:
 * which is the rest of a word. *size: its bytes. TABLE_NONE: there is none. */
uint32_t table_find(struct span text, int goes_on, size_t *size);

/* Whether a word in small letters without accents is a piece. What the tokenizer `rerank` stores
 * depends on it: the pieces stay those of BERT's vocabulary, however the rows are trained. */
int table_has_word(struct span word);

/* Of a row below TABLE_ROWS. */
const uint8_t *table_signs(uint32_t row); /* [TABLE_ROW_BYTES] */
struct span table_piece(uint32_t row);    /* with its ## */
uint32_t table_id(uint32_t row);          /* the piece's number in BERT's vocabulary */

/* Its scale in units of 2^-24, which is exact: less than TABLE_SCALE_LIMIT. */
#define TABLE_SCALE_LIMIT (1 << 20)
int32_t table_scale(uint32_t row);

/* How rare the piece was in the texts of training, as -ln of a share or near it: above 0. */
double table_idf(uint32_t row);

/* The hash that the table begins with. */
uint64_t table_hash(void);

#endif
