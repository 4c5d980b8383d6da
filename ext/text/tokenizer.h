/*
 * tokenizer.h: from text to the token ids that a model was trained with.
 *
 * Read from what a model comes with: tokenizer.json (the format of Hugging Face's `tokenizers`), or
 * vocab.txt with tokenizer_config.json (BERT). What the file names is done, in its order, and what
 * it names that is not known here is refused by name:
 *   normalizer      BertNormalizer, Lowercase, StripAccents, NFC, NFD, NFKC, NFKD, Strip, Prepend,
 *                   Replace (of a text, of runs of spaces or of white space), Precompiled (the
 *                   table of SentencePiece), Sequence
 *   pre_tokenizer   BertPreTokenizer, Whitespace, WhitespaceSplit, Punctuation, Metaspace, Sequence
 *   model           WordPiece (Wu et al. 2016; Devlin et al. 2019), Unigram (Kudo 2018: the best
 *                   path by the sum of log probabilities)
 *   post_processor  BertProcessing, RobertaProcessing, TemplateProcessing; a Sequence of one and
 *                   ByteLevel
 *   added_tokens    found in the text before all else (special ones too, as the reference does)
 * The file's own truncation and padding are ignored: callers say how much they can take, and
 * nothing is padded here.
 *
 * A tokenizer is constant once it is made: any number of threads may use it at once.
 */
#ifndef TEXT_TOKENIZER_H
#define TEXT_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/span.h"
#include "text/tokens.h"

struct tokenizer;

/* Files as bytes; those a model does not have are empty. */
struct tokenizer_files {
    struct span tokenizer_json;        /* if not empty, it alone says how to tokenize */
    struct span vocab_txt;             /* else: a token a line, its id the line's number from 0 */
    struct span tokenizer_config_json; /* for vocab.txt: do_lower_case, strip_accents,
                                          tokenize_chinese_chars, the names of special tokens */
};

/* ERROR_INVALID names the file, and what in it is wrong or unknown; ERROR_NOMEM. The bytes are not
 * needed afterwards. */
int tokenizer_new(const struct tokenizer_files *files, struct tokenizer **tokenizer,
                  struct error *err);
void tokenizer_free(struct tokenizer *tokenizer); /* accepts NULL */

/* One more than the highest id that a text can be given. */
size_t tokenizer_size(const struct tokenizer *tokenizer);

/* XXH64 of what the files say that tokens depend on, however they spell it. Indexes store it. */
uint64_t tokenizer_hash(const struct tokenizer *tokenizer);

/* What an unknown piece of text becomes, -1: nothing. */
int64_t tokenizer_unknown(const struct tokenizer *tokenizer);

/* The piece of Unigram that marks a space, U+2581, and is nothing of a word; -1: there is none. */
int64_t tokenizer_space(const struct tokenizer *tokenizer);

enum tokenizer_truncation {
    TOKENIZER_LONGEST_FIRST, /* of a pair, the longer one is cut until both fit */
    TOKENIZER_ONLY_SECOND    /* the first is kept whole; ERROR_INVALID if it alone is too long */
};

struct tokenizer_request {
    struct span text;        /* valid UTF-8 (other bytes count as U+FFFD) */
    const struct span *pair; /* a second text; NULL: none */
    size_t max_tokens;       /* special ones included; 0: no limit */
    enum tokenizer_truncation truncation;
    int without_special;         /* no [CLS], [SEP]... around the text */
    int lowers_case;             /* texts are made lower case before all else */
    const struct cancel *cancel; /* polled within a long text; or NULL */
};

/* Appends the tokens. *truncated (may be NULL): whether some of the text were left out. `tokens` is
 * as it was after an error. ERROR_NOMEM, ERROR_INTERRUPTED; ERROR_INVALID when max_tokens does not
 * hold the special ones. */
int tokenizer_encode(const struct tokenizer *tokenizer, const struct tokenizer_request *request,
                     struct tokens *tokens, int *truncated, struct error *err);

#endif
