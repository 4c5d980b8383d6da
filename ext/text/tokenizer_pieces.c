/*
 * tokenizer_pieces.c: WordPiece and Unigram.
 */
#include <string.h>

#include "base/memory.h"
#include "text/tokenizer_parts.h"
#include "text/utf8.h"

#define WINDOW ((size_t)1 << 20) /* bytes of a piece that the best path is looked for at a time */

static int poll(struct tokenizing *work, size_t bytes, struct error *err)
{
    return cancel_poll(work->cancel, &work->until_poll, bytes, NORMALIZER_POLL_BYTES, err);
}

static int put_unknown(struct tokenizing *work, struct error *err)
{
    int64_t unknown = work->tokenizer->unknown;
    return unknown < 0 ? 0 : tokens_put(work->tokens, (uint32_t)unknown, 0, err);
}

static int is_too_long(struct span word, size_t longest)
{
    size_t n = 0;
    if (word.size <= longest) return 0;
    for (size_t i = 0; i < word.size && n <= longest; i++) n += !utf8_is_inside(word.data[i]);
    return n > longest;
}

/* The longest token that the rest of the word begins with, again and again; a word that leaves a
 * rest is unknown as a whole. */
static int word_piece(struct tokenizing *work, struct span word, struct error *err)
{
    const struct tokenizer *tokenizer = work->tokenizer;
    size_t first = work->tokens->n, at = 0;
    if (is_too_long(word, tokenizer->longest_word)) return put_unknown(work, err);
    while (at < word.size) {
        struct span rest = {word.data + at, word.size - at};
        uint32_t node = at == 0 ? TRIE_ROOT : tokenizer->continuing;
        size_t size = 0;
        int32_t id = node == TRIE_NONE ? -1 : trie_longest(&tokenizer->pieces, node, rest, &size);
        if (id < 0) {
            work->tokens->n = first;
            return put_unknown(work, err);
        }
        int rc = tokens_put(work->tokens, (uint32_t)id, 0, err);
        if (rc != 0) return rc;
        at += size;
    }
    return 0;
}

static int make_room(struct tokenizing *work, size_t n, struct error *err)
{
    if (n <= work->capacity) return 0;
    size_t capacity = n < 256 ? 256 : n + n / 2;
    memory_free(work->best);
    memory_free(work->lengths);
    memory_free(work->ids);
    work->best = memory_alloc(capacity, sizeof *work->best);
    work->lengths = memory_alloc(capacity, sizeof *work->lengths);
    work->ids = memory_alloc(capacity, sizeof *work->ids);
    work->capacity =
        work->best == NULL || work->lengths == NULL || work->ids == NULL ? 0 : capacity;
    return work->capacity == 0 ? error_nomem(err) : 0;
}

static void reach(struct tokenizing *work, size_t from, size_t size, double score, int32_t id)
{
    size_t to = from + size;
    double candidate = work->best[from] + score;
    if (work->lengths[to] != 0 && candidate <= work->best[to]) return;
    work->best[to] = candidate;
    work->lengths[to] = (uint32_t)size;
    work->ids[to] = id;
}

/* All tokens that begin at a character, or that character as unknown. */
static void reach_from(struct tokenizing *work, struct span text, size_t from)
{
    const struct tokenizer *tokenizer = work->tokenizer;
    uint32_t node = TRIE_ROOT;
    size_t character = 1;
    if ((unsigned char)text.data[from] >= 0x80) {
        const char *next = text.data + from;
        utf8_next(&next, text.data + text.size);
        character = (size_t)(next - text.data) - from;
    }
    int has_single = 0;
    for (size_t i = from; i < text.size; i++) {
        node = trie_step(&tokenizer->pieces, node, (unsigned char)text.data[i]);
        if (node == TRIE_NONE) break;
        int32_t id = tokenizer->pieces.values[node];
        if (id < 0) continue;
        reach(work, from, i + 1 - from, tokenizer->scores[id], id == tokenizer->unknown ? -1 : id);
        has_single |= i + 1 - from == character;
    }
    if (!has_single) reach(work, from, character, tokenizer->unknown_score, -1);
}

/* Kudo 2018: the path with the greatest sum of scores (Viterbi). Unknown characters one behind the
 * other are one token. */
static int best_path(struct tokenizing *work, struct span text, struct error *err)
{
    int rc = make_room(work, text.size + 1, err);
    if (rc != 0) return rc;
    memset(work->lengths, 0, (text.size + 1) * sizeof *work->lengths);
    work->best[0] = 0;
    for (size_t at = 0; rc == 0 && at < text.size; at++) {
        if (at > 0 && work->lengths[at] == 0) continue; /* within a character */
        reach_from(work, text, at);
        if (at % NORMALIZER_POLL_BYTES == NORMALIZER_POLL_BYTES - 1)
            rc = cancel_check(work->cancel, err);
    }
    if (rc != 0) return rc;
    /* Backwards, each end learns where its token begins; then forwards. */
    size_t n = 0;
    for (size_t at = text.size; at > 0;) {
        size_t size = work->lengths[at];
        work->ids[text.size - n++] = work->ids[at];
        at -= size;
    }
    for (size_t i = n; rc == 0 && i-- > 0;) {
        int32_t id = work->ids[text.size - i];
        int is_repeated = id < 0 && i + 1 < n && work->ids[text.size - i - 1] < 0;
        if (id >= 0) rc = tokens_put(work->tokens, (uint32_t)id, 0, err);
        else if (!is_repeated) rc = put_unknown(work, err);
    }
    return rc;
}

static int unigram(struct tokenizing *work, struct span piece, struct error *err)
{
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < piece.size;) {
        size_t size = piece.size - at;
        if (size > WINDOW) {
            for (size = WINDOW; utf8_is_inside(piece.data[at + size]);) size--;
        }
        rc = best_path(work, (struct span){piece.data + at, size}, err);
        at += size;
    }
    return rc;
}

static int (*const methods[N_TOKENIZER_KINDS])(struct tokenizing *work, struct span piece,
                                               struct error *err) = {
    [TOKENIZER_WORD_PIECE] = word_piece,
    [TOKENIZER_UNIGRAM] = unigram,
};

int tokenizing_piece(struct tokenizing *work, struct span piece, struct error *err)
{
    int rc = poll(work, piece.size, err);
    return rc != 0 || piece.size == 0 ? rc : methods[work->tokenizer->kind](work, piece, err);
}
