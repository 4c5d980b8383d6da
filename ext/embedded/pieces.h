/*
 * pieces.h: a text as rows of the table: WordPiece (Wu et al. 2016; Devlin et al. 2019), as BERT's
 * uncased models do it: small letters without accents, marks of punctuation alone, of each word the
 * longest piece again and again. tokenizer.h does the same from files; here is no table to be built
 * and ASCII takes a short way.
 *
 * A text is taken in one spelling first (text/spelling.h). What the table has no letters of (other
 * scripts: the letters behind U+024F) is cut from what it has, and is unknown, with letters folded.
 * The apostrophe U+2019 is that of ASCII; other marks that are not in the table
 * say nothing.
 */
#ifndef EMBEDDED_PIECES_H
#define EMBEDDED_PIECES_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/span.h"

/* Where the pieces of a text go, in order. Each returns 0, or an error that ends the reading. */
struct pieces_sink {
    int (*known)(void *context, uint32_t row, struct error *err);
    /* A word of which the table does not have all: borrowed for the call, not empty. */
    int (*unknown)(void *context, struct span word, struct error *err);
    void *context;
};

struct pieces {
    const struct pieces_sink *sink;
    /* Told each word or mark before its pieces, in small letters without accents; NULL: nobody
     * asks. Gets the sink's context. */
    int (*word)(void *context, struct span word, struct error *err);
    const struct cancel *cancel; /* or NULL; polled within a long text */
    size_t until_poll;           /* bytes */
    struct buffer spelled, spare, letters;
};

void pieces_init(struct pieces *pieces, const struct pieces_sink *sink,
                 const struct cancel *cancel);
void pieces_deinit(struct pieces *pieces);

/* Whether reading a text allocates nothing: all of it is ASCII, and no word too long. */
int pieces_is_simple(struct span text);

/* Any number of texts, one after the other. Errors of the sink, ERROR_NOMEM, ERROR_INTERRUPTED. */
int pieces_read(struct pieces *pieces, struct span text, struct error *err);

/* How rare a word is in the texts that the table was trained on: the idf of its rarest piece, above
 * 0; of what the table does not know, or knows no piece of, PIECES_RAREST. ERROR_NOMEM. */
#define PIECES_RAREST 14.0
int pieces_rarity(struct span word, double *idf, struct error *err);

#endif
