/*
 * tokenizer_parts.h: what a tokenizer is made of. Internal to its files: tokenizer_read.c makes it,
 * tokenizer.c splits texts, tokenizer_pieces.c finds the tokens of a piece.
 */
#ifndef TEXT_TOKENIZER_PARTS_H
#define TEXT_TOKENIZER_PARTS_H

#include "base/buffer.h"
#include "text/normalizer.h"
#include "text/tokens.h"
#include "text/trie.h"

enum splitter_kind {
    SPLIT_BERT,       /* at white space, which goes, and around punctuation */
    SPLIT_WHITESPACE, /* at white space; words apart from what is no word */
    SPLIT_SPACES,     /* at white space alone */
    SPLIT_PUNCTUATION,
    SPLIT_METASPACE /* spaces become `mark`, which each piece begins with */
};

enum metaspace_prefix { PREFIX_NEVER, PREFIX_FIRST, PREFIX_ALWAYS };

struct splitter {
    enum splitter_kind kind;
    char mark[8];
    enum metaspace_prefix prefix;
    int keeps_whole; /* pieces are not cut at the marks */
};

/* A token that is found in the text itself. */
struct added_token {
    uint32_t id;
    int single_word, left, right; /* stands alone; takes the white space beside it */
};

/* What is put together in the end. */
struct post_part {
    int text; /* 0 or 1: the first or the second text's tokens; -1: a special token */
    uint32_t id;
    uint8_t segment;
};
#define POST_PARTS 16
struct post_processor {
    struct post_part parts[POST_PARTS];
    size_t n, n_special;
};

/* How a piece becomes tokens. */
enum tokenizer_kind {
    TOKENIZER_WORD_PIECE, /* longest beginning first */
    TOKENIZER_UNIGRAM,    /* the path with the greatest sum of scores */
    N_TOKENIZER_KINDS
};

#define TOKENIZER_SPLITTERS 4
struct tokenizer {
    struct normalizers normalizers;
    struct splitter splitters[TOKENIZER_SPLITTERS];
    size_t n_splitters;
    enum tokenizer_kind kind;
    struct trie pieces; /* values: ids */
    size_t size;        /* 1 + the highest id */
    uint64_t hash;      /* of what the files say */
    int64_t unknown;    /* -1: none */
    /* Of WordPiece. */
    uint32_t continuing; /* the node behind the prefix of what continues a word */
    size_t longest_word; /* characters; longer words are unknown */
    /* Of Unigram. */
    double *scores; /* log probabilities, of each id of the vocab; owned */
    double unknown_score;
    struct trie added[2]; /* values: numbers of added_tokens; found before, and after normalising */
    struct added_token *added_tokens; /* [n_added], owned */
    size_t n_added;
    struct post_processor post[2]; /* of one text, of a pair */
};

/* One text on its way. */
struct tokenizing {
    const struct tokenizer *tokenizer;
    const struct cancel *cancel;
    size_t limit;          /* tokens that are enough; 0: all */
    struct tokens *tokens; /* appended to */
    struct buffer normalized, spare, piece;
    size_t until_poll; /* bytes */
    /* Of the best path (Unigram), to each byte of a piece. */
    double *best;      /* [capacity] its score */
    uint32_t *lengths; /* [capacity] bytes of its last token; 0: there is none */
    int32_t *ids;      /* [capacity] of that token; -1: unknown */
    size_t capacity;
};

/* The tokens of a piece that no splitter cuts any more. */
int tokenizing_piece(struct tokenizing *work, struct span piece, struct error *err);

#endif
