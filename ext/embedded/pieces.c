#include "embedded/pieces.h"

#include <string.h>

#include "embedded/table.h"
#include "text/fold.h"
#include "text/normalizer.h"
#include "text/spelling.h"
#include "text/unicode/classes.h"
#include "text/unicode/ucd.h"
#include "text/utf8.h"

#define MAX_TEXT ((size_t)1 << 32) /* bytes of a spelled text */
#define LONGEST_WORD 100           /* bytes; longer words are unknown, as BERT's are */
#define LATIN_END 0x250            /* behind the letters that the table has */

void pieces_init(struct pieces *pieces, const struct pieces_sink *sink, const struct cancel *cancel)
{
    *pieces = (struct pieces){.sink = sink, .cancel = cancel};
    buffer_init(&pieces->spelled, MAX_TEXT);
    buffer_init(&pieces->spare, MAX_TEXT);
    buffer_init(&pieces->letters, MAX_TEXT);
}

void pieces_deinit(struct pieces *pieces)
{
    buffer_deinit(&pieces->spelled);
    buffer_deinit(&pieces->spare);
    buffer_deinit(&pieces->letters);
}

/* ---- words ----------------------------------------------------------------------------------- */

/* A word in small letters, without accents. */
static int put_word(struct pieces *pieces, struct span word, struct error *err)
{
    const struct pieces_sink *sink = pieces->sink;
    uint32_t rows[LONGEST_WORD];
    size_t n = 0, at = 0, size;
    int rc = 0;
    if (word.size == 0) return 0;
    while (at < word.size && word.size <= LONGEST_WORD) {
        rows[n] = table_find((struct span){word.data + at, word.size - at}, at > 0, &size);
        if (rows[n++] == TABLE_NONE) break;
        at += size;
    }
    if (at < word.size) return sink->unknown(sink->context, word, err);
    for (size_t i = 0; rc == 0 && i < n; i++) rc = sink->known(sink->context, rows[i], err);
    return rc;
}

static int put_mark(struct pieces *pieces, struct span mark, struct error *err)
{
    const struct pieces_sink *sink = pieces->sink;
    const char *at = mark.data;
    size_t size = 0;
    if (unicode_kind_of(utf8_next(&at, at + mark.size)) == UNICODE_APOSTROPHE)
        mark = (struct span){"'", 1};
    uint32_t row = table_find(mark, 0, &size);
    return size == mark.size ? sink->known(sink->context, row, err) : 0;
}

/* Letters that the table may have: in small letters first, accents left out. */
static int put_latin(struct pieces *pieces, struct span word, struct error *err)
{
    static const struct normalizers bert = {
        .steps = {{.kind = NORMALIZER_BERT, .clean_text = 1, .strip_accents = 1, .lowercase = 1}},
        .n = 1};
    char lower[LONGEST_WORD];
    size_t n = 0;
    struct buffer unused;
    while (n < word.size && n < LONGEST_WORD && word.data[n] > 0x1F && word.data[n] < 0x7F) {
        char c = word.data[n];
        lower[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    if (n == word.size) return put_word(pieces, (struct span){lower, n}, err);
    buffer_init(&unused, 0);
    int rc = normalizers_apply(&bert, word, pieces->cancel, &pieces->letters, &unused, err);
    return rc == 0
               ? put_word(pieces, (struct span){pieces->letters.data, pieces->letters.size}, err)
               : rc;
}

/* A word of another script, as readers take it. */
static int put_foreign(struct pieces *pieces, struct span word, struct error *err)
{
    const char *at = word.data, *end = at + word.size;
    char bytes[FOLD_MAX_BYTES];
    int rc = 0;
    buffer_clear(&pieces->letters);
    while (rc == 0 && at < end)
        rc =
            buffer_append(&pieces->letters, bytes, fold_character(utf8_next(&at, end), bytes), err);
    if (rc != 0 || pieces->letters.size == 0) return rc;
    struct span folded = {pieces->letters.data, pieces->letters.size};
    return pieces->sink->unknown(pieces->sink->context, folded, err);
}

/* ---- texts ----------------------------------------------------------------------------------- */

enum kind {
    IS_LATIN, /* letters, digits and all that BERT leaves in words */
    IS_SPACE, /* and what says nothing */
    IS_MARK,  /* stands alone */
    IS_OTHER  /* letters that the table does not have */
};

static int is_ascii_space(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static enum kind kind_of_ascii(unsigned char c)
{
    if (is_ascii_space(c)) return IS_SPACE;
    int is_mark = (c > ' ' && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') ||
                  (c > 'z' && c < 0x7F);
    return is_mark ? IS_MARK : IS_LATIN;
}

/* An accent that could not join its letter stays with it. Behind U+1DFF are Latin letters with
 * accents. */
static enum kind kind_of(uint32_t c, enum kind before)
{
    if (c < 0x80) return kind_of_ascii((unsigned char)c);
    unsigned properties = ucd_properties(c);
    if (properties & UCD_SPACE) return IS_SPACE;
    if (properties & UCD_NONSPACING) return before == IS_LATIN ? IS_LATIN : IS_OTHER;
    if (c < LATIN_END) return properties & UCD_PUNCTUATION ? IS_MARK : IS_LATIN;
    if (c >= 0x1E00 && c < 0x1F00) return IS_LATIN;
    enum unicode_kind kind = unicode_word_kind_of(c);
    if (kind == UNICODE_APOSTROPHE) return IS_MARK;
    return kind == UNICODE_SEPARATOR ? IS_SPACE : IS_OTHER;
}

static int put(struct pieces *pieces, enum kind kind, struct span word, struct error *err)
{
    if (kind == IS_SPACE) return 0;
    if (kind == IS_MARK) return put_mark(pieces, word, err);
    return kind == IS_LATIN ? put_latin(pieces, word, err) : put_foreign(pieces, word, err);
}

static int poll(struct pieces *pieces, size_t bytes, struct error *err)
{
    if (pieces->until_poll > bytes) {
        pieces->until_poll -= bytes;
        return 0;
    }
    pieces->until_poll = NORMALIZER_POLL_BYTES;
    return cancel_check(pieces->cancel, err);
}

/* A spelled text as stretches of one kind. */
static int split(struct pieces *pieces, struct span text, struct error *err)
{
    const char *at = text.data, *end = at + text.size, *start = at;
    enum kind before = IS_SPACE;
    int rc = 0;
    while (rc == 0 && at < end) {
        const char *here = at;
        unsigned char byte = (unsigned char)*at;
        uint32_t c = byte < 0x80 ? (at++, byte) : utf8_next(&at, end);
        enum kind kind = kind_of(c, before);
        if (kind == before && kind != IS_MARK) continue;
        rc = put(pieces, before, (struct span){start, (size_t)(here - start)}, err);
        if (rc == 0) rc = poll(pieces, (size_t)(here - start), err);
        start = here;
        before = kind;
    }
    return rc == 0 ? put(pieces, before, (struct span){start, (size_t)(end - start)}, err) : rc;
}

/* A text is spelled where it is not ASCII, from white space to white space: nothing joins across
 * that. */
int pieces_read(struct pieces *pieces, struct span text, struct error *err)
{
    const char *at = text.data, *end = at + text.size;
    int rc = 0;
    while (rc == 0 && at < end) {
        const char *start = at;
        unsigned char all = 0;
        while (at < end && is_ascii_space((unsigned char)*at)) at++;
        for (; at < end && !is_ascii_space((unsigned char)*at); at++) all |= (unsigned char)*at;
        struct span run = {start, (size_t)(at - start)};
        if (all >= 0x80)
            rc = spelling_apply(run, pieces->cancel, &pieces->spelled, &pieces->spare, &run, err);
        if (rc == 0) rc = split(pieces, run, err);
    }
    return rc;
}
