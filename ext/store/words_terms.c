#include "store/words_terms.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "text/asked.h"
#include "text/subwords.h"
#include "text/utf8.h"

/* FTS5 cuts what is longer, in a text as in a query. */
#define MAX_PIECE 32768

#define MATCH_CEILING ((size_t)(4 * WORDS_MAX_TERMS) * MAX_PIECE)
#define TOKENS_BETWEEN_CHECKS 4096

/* While a query is read. */
struct reading {
    struct words_terms *terms;
    const struct cancel *cancel;
    struct span text;                 /* that is being split */
    uint64_t tokens[WORDS_MAX_TERMS]; /* [terms->n_terms] hashes of the terms' tokens */
    uint64_t pieces[WORDS_MAX_TERMS]; /* and of what stands in the query for them */
    size_t latest;                    /* the term of the last word */
    size_t n_seen;
};

/* One phrase more, in quotes. */
static int add_phrase(struct words_terms *terms, struct span phrase, struct error *err)
{
    struct buffer *match = &terms->match;
    int rc = match->size == 0 ? 0 : buffer_append(match, " OR ", 4, err);
    if (rc == 0) rc = buffer_append(match, "\"", 1, err);
    for (size_t i = 0; rc == 0 && i < phrase.size; i++) {
        if (phrase.data[i] == '"') rc = buffer_append(match, "\"", 1, err);
        if (rc == 0) rc = buffer_append(match, phrase.data + i, 1, err);
    }
    return rc == 0 ? buffer_append(match, "\"", 1, err) : rc;
}

static int add_token(struct words_terms *terms, size_t i, struct span token, struct error *err)
{
    terms->places[i].at = terms->tokens.size;
    if (token.size > MAX_PIECE) return 0;
    terms->places[i].size = token.size;
    return buffer_append(&terms->tokens, token.data, token.size, err);
}

/* The number of the term; n_terms: it is a new one. */
static size_t find_term(const struct reading *reading, uint64_t token, uint64_t piece)
{
    size_t i = 0, n = reading->terms->n_terms;
    while (i < n && reading->tokens[i] != token && reading->pieces[i] != piece) i++;
    return i;
}

static int add_term(void *context, const struct fts5_token *token, struct error *err)
{
    struct reading *reading = context;
    struct words_terms *terms = reading->terms;
    struct span piece = {reading->text.data + token->start, token->end - token->start};
    if (++reading->n_seen % TOKENS_BETWEEN_CHECKS == 0) {
        int rc = cancel_check(reading->cancel, err);
        if (rc != 0) return rc;
    }
    int is_subword = subwords_is_piece(token->token);
    if (piece.size == 0 || is_subword) piece = token->token;
    /* A synonym comes with the token that it stands beside. */
    if (token->colocated && !is_subword) {
        terms->places[reading->latest].size = 0;
        return 0;
    }
    if (piece.size == 0 || piece.size > MAX_PIECE) return 0;
    uint64_t token_hash = hash_bytes(token->token.data, token->token.size, 0);
    uint64_t piece_hash = hash_bytes(piece.data, piece.size, 0);
    size_t i = find_term(reading, token_hash, piece_hash);
    if (i == WORDS_MAX_TERMS) return FTS5_ENOUGH;
    terms->weights[i] += subwords_weight(token->token);
    if (!is_subword) reading->latest = i;
    if (i < terms->n_terms) return 0;
    reading->tokens[i] = token_hash;
    reading->pieces[i] = piece_hash;
    terms->are_pieces[i] = (unsigned char)is_subword;
    terms->n_terms++;
    int rc = add_phrase(terms, piece, err);
    return rc == 0 ? add_token(terms, i, token->token, err) : rc;
}

/* Up to two. */
static int count_token(void *context, const struct fts5_token *token, struct error *err)
{
    int *n_tokens = context;
    (void)err;
    if (!token->colocated) ++*n_tokens;
    return *n_tokens == 2 ? FTS5_ENOUGH : 0;
}

/* Whether it was said before: each costs a walk over all rows that have it. */
static int is_repeated(const struct asked *asked, size_t i)
{
    struct span text = asked->pieces[i].text;
    for (size_t j = 0; j < i; j++) {
        struct span other = asked->pieces[j].text;
        if (asked->pieces[j].kind == asked->pieces[i].kind && other.size == text.size &&
            memcmp(other.data, text.data, text.size) == 0)
            return 1;
    }
    return 0;
}

/* Phrases of that kind, each once: one that must be there has two tokens at least, as a single word
 * in quotes is a name more often than a condition, and one that must not has one. */
static int add_phrases(struct reading *reading, const struct asked *asked, enum asked_kind kind,
                       size_t *n, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < asked->n; i++) {
        int n_tokens = 0;
        if (asked->pieces[i].kind != kind || is_repeated(asked, i)) continue;
        rc = fts5_splitter_run(&reading->terms->splitter, FTS5_TOKENIZE_TERMS,
                               asked->pieces[i].text, count_token, &n_tokens, err);
        if (rc != 0 || n_tokens < (kind == ASKED_MUST ? 2 : 1)) continue;
        rc = add_phrase(reading->terms, asked->pieces[i].text, err);
        ++*n;
    }
    return rc;
}

static int read_pieces(struct reading *reading, const struct asked *asked, struct error *err)
{
    struct words_terms *terms = reading->terms;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < asked->n; i++) {
        reading->text = asked->pieces[i].text;
        if (asked->pieces[i].kind != ASKED_NOT)
            rc = fts5_splitter_run(&terms->splitter, FTS5_TOKENIZE_TERMS, reading->text, add_term,
                                   reading, err);
    }
    if (rc == 0) rc = add_phrases(reading, asked, ASKED_MUST, &terms->n_must, err);
    if (rc == 0) rc = add_phrases(reading, asked, ASKED_NOT, &terms->n_excluded, err);
    return rc == 0 ? buffer_append(&terms->match, "", 1, err) : rc;
}

int words_terms_init(struct words_terms *terms, struct connection *connection,
                     const char *tokenizer, struct span text, struct error *err)
{
    struct reading reading = {.terms = terms, .cancel = &connection->cancel};
    struct asked asked = {0};
    *terms = (struct words_terms){0};
    buffer_init(&terms->match, MATCH_CEILING);
    buffer_init(&terms->tokens, MATCH_CEILING);
    int rc = fts5_splitter_open(&terms->splitter, connection, tokenizer, err);
    if (rc != 0) return rc;
    /* To FTS5 a text ends at a NUL. */
    char *repaired = memory_alloc(text.size, 1);
    if (repaired == NULL) rc = error_nomem(err);
    else utf8_repair(text, repaired);
    if (rc == 0) rc = asked_read(&asked, (struct span){repaired, text.size}, err);
    if (rc == 0) rc = read_pieces(&reading, &asked, err);
    asked_deinit(&asked);
    memory_free(repaired);
    return rc;
}

void words_terms_deinit(struct words_terms *terms)
{
    buffer_deinit(&terms->match);
    buffer_deinit(&terms->tokens);
    fts5_splitter_close(&terms->splitter);
    *terms = (struct words_terms){0};
}

struct span words_terms_token(const struct words_terms *terms, size_t i)
{
    size_t size = terms->places[i].size;
    return size == 0 ? (struct span){0}
                     : (struct span){terms->tokens.data + terms->places[i].at, size};
}
