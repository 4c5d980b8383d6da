/*
 * normalizer.h: the first step of a tokenizer: a text in the spelling that its model was trained
 * with.
 */
#ifndef TEXT_NORMALIZER_H
#define TEXT_NORMALIZER_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/cancel.h"
#include "base/json.h"
#include "base/span.h"

enum normalizer_kind {
    NORMALIZER_BERT,
    NORMALIZER_LOWERCASE,
    NORMALIZER_STRIP_ACCENTS, /* marks vanish */
    NORMALIZER_NFC,           /* forms of UAX 15 */
    NORMALIZER_NFD,
    NORMALIZER_NFKC,
    NORMALIZER_NFKD,
    NORMALIZER_STRIP,        /* white space at the ends */
    NORMALIZER_PREPEND,      /* `from` before a text that is not empty */
    NORMALIZER_REPLACE,      /* each `from` by `to` */
    NORMALIZER_REPLACE_RUNS, /* runs of at_least or more spaces, or white space, by `to` */
    NORMALIZER_CHARSMAP      /* SentencePiece's table */
};

struct normalizer {
    enum normalizer_kind kind;
    int clean_text, chinese, strip_accents, lowercase; /* of BERT */
    int left, right;                                   /* of Strip */
    char *from, *to;                                   /* owned */
    size_t at_least;                                   /* of runs */
    int any_space;
    /* Of a charsmap: the units of a double array (darts-clone), and texts that NUL ends. */
    uint32_t *units; /* [n_units], owned */
    size_t n_units;
    char *texts; /* [texts_size], in the block of units */
    size_t texts_size;
};

/* Bytes between two looks at a cancel token, here and where texts become tokens. */
#define NORMALIZER_POLL_BYTES ((size_t)1 << 14)

#define NORMALIZER_STEPS 64
struct normalizers {
    struct normalizer steps[NORMALIZER_STEPS];
    size_t n;
};

/* BERT's, as tokenizer_config.json has it; NULL or a missing member: the usual. */
void normalizers_bert(struct normalizers *normalizers, const cJSON *config);

/* Reads the member "normalizer" (NULL or null: none). ERROR_INVALID names what is not known. */
int normalizers_read(struct normalizers *normalizers, const cJSON *json, struct error *err);
void normalizers_deinit(struct normalizers *normalizers);

/* Replaces out->data by the normalised text; `spare` is used on the way. ERROR_NOMEM,
 * ERROR_INTERRUPTED. */
int normalizers_apply(const struct normalizers *normalizers, struct span text,
                      const struct cancel *cancel, struct buffer *out, struct buffer *spare,
                      struct error *err);

#endif
