#include "embedded/pieces.h"

#include <string.h>

#include "embedded/table.h"
#include "text/fold.h"
#include "text/normalizer.h"
#include "text/spelling.h"
#include "text/unicode/classes.h"
#include "text/unicode/ucd.h"
#include "text/utf8.h"

#define MAX_TEXT ((size_t)UINT32_MAX) /* bytes of a spelled text */
#define LONGEST_WORD 100              /* bytes; longer words are unknown, as BERT's are */
#define LATIN_END 0x250               /* behind the letters that the table has */

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

static int begin_word(const struct pieces *pieces, struct span word, struct error *err)
{
    return pieces->word == NULL ? 0 : pieces->word(pieces->sink->context, word, err);
}

/* A word in small letters, without accents. */
static int put_word(struct pieces *pieces, struct span word, struct error *err)
{
    const struct pieces_sink *sink = pieces->sink;
    uint32_t rows[LONGEST_WORD];
    size_t n = 0, at = 0, size;
    if (word.size == 0) return 0;
    int rc = begin_word(pieces, word, err);
    while (at < word.size && word.size <= LONGEST_WORD) {
        rows[n] = table_find((struct span){word.data + at, word.size - at}, at > 0, &size);
        if (rows[n++] == TABLE_NONE) break;
        at += size;
    }
    if (rc == 0 && at < word.size) return sink->unknown(sink->context, word, err);
    for (size_t i = 0; rc == 0 && i < n; i++) rc = sink->known(sink->context, rows[i], err);
    return rc;
}

static int put_mark(struct pieces *pieces, struct span mark, struct error *err)
{
    const struct pieces_sink *sink = pieces->sink;
    size_t size = 0;
    uint32_t row = table_find(mark, 0, &size);
    int rc = begin_word(pieces, mark, err);
    return rc == 0 && size == mark.size ? sink->known(sink->context, row, err) : rc;
}

/* Letters that the table may have: in small letters first, accents left out. */
static int put_latin(struct pieces *pieces, struct span word, struct error *err)
{
    static const struct normalizers bert = {
        .steps = {{.kind = NORMALIZER_BERT, .clean_text = 1, .strip_accents = 1, .lowercase = 1}},
        .n = 1};
    struct buffer unused;
    buffer_init(&unused, 0);
    int rc = normalizers_apply(&bert, word, pieces->cancel, &pieces->letters, &unused, err);
    return rc == 0
               ? put_word(pieces, (struct span){pieces->letters.data, pieces->letters.size}, err)
               : rc;
}

/* Letters and digits of ASCII: in small letters, which have one bit more; digits have it, too. */
static int put_ascii(struct pieces *pieces, struct span word, struct error *err)
{
    char lower[LONGEST_WORD];
    if (word.size > LONGEST_WORD) return put_latin(pieces, word, err);
    for (size_t i = 0; i < word.size; i++) lower[i] = word.data[i] | 0x20;
    return put_word(pieces, (struct span){lower, word.size}, err);
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
    rc = begin_word(pieces, folded, err);
    return rc == 0 ? pieces->sink->unknown(pieces->sink->context, folded, err) : rc;
}

/* ---- texts ----------------------------------------------------------------------------------- */

enum kind {
    IS_LATIN, /* letters, digits and all that BERT leaves in words */
    IS_SPACE, /* and what says nothing */
    IS_MARK,  /* stands alone */
    IS_APOSTROPHE,
    IS_OTHER /* letters that the table does not have */
};

/* What a byte is: letters and digits of ASCII; white space; marks; controls, which go, and what is
 * not ASCII. */
enum { BYTE_WORD = 1, BYTE_SPACE = 2, BYTE_MARK = 4, BYTE_ODD = 8 };

static const unsigned char kinds_of_bytes[256] = {
    8, 8, 8, 8, 8, 8, 8, 8, 8, 2, 2, 2, 2, 2, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
    2, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4, 4, 4, 4, 4, 4,
    4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4, 4, 4, 4, 4,
    4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4, 4, 4, 4, 8,
    8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
    8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
    8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
    8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
};

static int is(char c, int kinds)
{
    return kinds_of_bytes[(unsigned char)c] & kinds;
}

/* An accent that could not join its letter stays with it. Behind U+1DFF are Latin letters with
 * accents. */
static enum kind kind_of(uint32_t c, enum kind before)
{
    if (c < 0x80) {
        char byte = (char)c;
        return is(byte, BYTE_SPACE) ? IS_SPACE : is(byte, BYTE_MARK) ? IS_MARK : IS_LATIN;
    }
    unsigned properties = ucd_properties(c);
    if (properties & UCD_SPACE) return IS_SPACE;
    if (properties & UCD_NONSPACING) return before == IS_LATIN ? IS_LATIN : IS_OTHER;
    if (c < LATIN_END) return properties & UCD_PUNCTUATION ? IS_MARK : IS_LATIN;
    if (c >= 0x1E00 && c < 0x1F00) return IS_LATIN;
    int is_letter = (properties & (UCD_WORD | UCD_PUNCTUATION)) == UCD_WORD && c != 0x2BC;
    enum unicode_kind kind = is_letter ? UNICODE_LETTER : unicode_word_kind_of(c); /* most are */
    if (kind == UNICODE_APOSTROPHE) return IS_APOSTROPHE;
    return kind == UNICODE_SEPARATOR ? IS_SPACE : IS_OTHER;
}

static int put(struct pieces *pieces, enum kind kind, struct span word, struct error *err)
{
    if (kind == IS_SPACE) return 0;
    if (kind == IS_APOSTROPHE) return put_mark(pieces, (struct span){"'", 1}, err);
    if (kind == IS_MARK) return put_mark(pieces, word, err);
    return kind == IS_LATIN ? put_latin(pieces, word, err) : put_foreign(pieces, word, err);
}

static int poll(struct pieces *pieces, size_t bytes, struct error *err)
{
    return cancel_poll(pieces->cancel, &pieces->until_poll, bytes, NORMALIZER_POLL_BYTES, err);
}

/* A spelled text as stretches of one kind. */
static int split(struct pieces *pieces, struct span text, struct error *err)
{
    const char *at = text.data, *end = at + text.size, *start = at;
    enum kind before = IS_SPACE;
    int rc = 0;
    while (rc == 0 && at < end) {
        const char *here = at;
        enum kind kind = kind_of(utf8_next(&at, end), before);
        if (kind == before && kind != IS_MARK && kind != IS_APOSTROPHE) continue;
        rc = put(pieces, before, (struct span){start, (size_t)(here - start)}, err);
        if (rc == 0) rc = poll(pieces, (size_t)(here - start), err);
        start = here;
        before = kind;
    }
    return rc == 0 ? put(pieces, before, (struct span){start, (size_t)(end - start)}, err) : rc;
}

/* What is not ASCII, or not seen, and all up to the next white space. */
static int read_odd(struct pieces *pieces, const char *start, const char **at, const char *end,
                    struct error *err)
{
    while (*at < end && !is(**at, BYTE_SPACE)) ++*at;
    struct span text = {start, (size_t)(*at - start)};
    int rc = spelling_apply(text, pieces->cancel, &pieces->spelled, &pieces->spare, &text, err);
    /* Of characters that are not seen nothing is left. */
    return rc == 0 && text.size > 0 ? split(pieces, text, err) : rc;
}

int pieces_is_simple(struct span text)
{
    size_t n_letters = 0;
    for (size_t i = 0; i < text.size; i++) {
        n_letters = is(text.data[i], BYTE_WORD) ? n_letters + 1 : 0;
        if (is(text.data[i], BYTE_ODD) || n_letters > LONGEST_WORD) return 0;
    }
    return 1;
}

/* A word or a mark of ASCII is what it is, whatever stands before it: what stands behind it may
 * change it. */
int pieces_read(struct pieces *pieces, struct span text, struct error *err)
{
    const char *at = text.data, *end = at + text.size;
    int rc = 0;
    while (rc == 0 && at < end) {
        const char *start = at;
        while (at < end && is(*at, BYTE_WORD)) at++;
        int is_word = at > start;
        if (!is_word && is(*at, BYTE_SPACE)) {
            at++;
            continue;
        }
        if (!is_word && is(*at, BYTE_MARK)) at++;
        struct span piece = {start, (size_t)(at - start)};
        rc = poll(pieces, piece.size, err);
        if (rc != 0) return rc;
        if (at < end && is(*at, BYTE_ODD)) rc = read_odd(pieces, start, &at, end, err);
        else rc = is_word ? put_ascii(pieces, piece, err) : put_mark(pieces, piece, err);
    }
    return rc;
}

/* ---- rare words ------------------------------------------------------------------------------ */

static int take_rarest(void *context, uint32_t row, struct error *err)
{
    double *idf = context, of_row = table_idf(row);
    (void)err;
    if (of_row > *idf) *idf = of_row;
    return 0;
}

static int take_unknown(void *context, struct span word, struct error *err)
{
    (void)word;
    (void)err;
    *(double *)context = PIECES_RAREST;
    return 0;
}

int pieces_rarity(struct span word, double *idf, struct error *err)
{
    struct pieces_sink sink = {take_rarest, take_unknown, idf};
    struct pieces pieces;
    *idf = 0;
    pieces_init(&pieces, &sink, NULL);
    int rc = pieces_read(&pieces, word, err);
    pieces_deinit(&pieces);
    if (*idf <= 0) *idf = PIECES_RAREST;
    return rc;
}
