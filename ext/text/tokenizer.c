#include "text/tokenizer.h"

#include <string.h>

#include "base/memory.h"
#include "text/tokenizer_parts.h"
#include "text/unicode/ucd.h"
#include "text/utf8.h"

#define MAX_TEXT ((size_t)UINT32_MAX) /* bytes of a normalised text */

size_t tokenizer_size(const struct tokenizer *tokenizer)
{
    return tokenizer->size;
}

uint64_t tokenizer_hash(const struct tokenizer *tokenizer)
{
    return tokenizer->hash;
}

int64_t tokenizer_unknown(const struct tokenizer *tokenizer)
{
    return tokenizer->unknown;
}

int64_t tokenizer_space(const struct tokenizer *tokenizer)
{
    if (tokenizer->kind != TOKENIZER_UNIGRAM) return -1;
    return trie_find(&tokenizer->pieces, (struct span){"\xE2\x96\x81", 3});
}

/* ---- splitting ------------------------------------------------------------------------------- */

static int has_enough(const struct tokenizing *work)
{
    return work->limit > 0 && work->tokens->n > work->limit;
}

static int split(struct tokenizing *work, size_t level, struct span text, int is_first,
                 struct error *err);

static int is_punctuation(uint32_t c)
{
    if (c < 0x80)
        return (c > ' ' && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') ||
               (c > 'z' && c < 0x7F);
    return (ucd_properties(c) & UCD_PUNCTUATION) != 0;
}

enum character_class { IS_SPACE, IS_ALONE, IS_WORD, IS_OTHER };

static enum character_class class_of(enum splitter_kind kind, uint32_t c)
{
    int is_space =
        c < 0x80 ? c == ' ' || (c >= '\t' && c <= '\r') : (ucd_properties(c) & UCD_SPACE) != 0;
    if (is_space && kind != SPLIT_PUNCTUATION) return IS_SPACE;
    if (kind == SPLIT_BERT || kind == SPLIT_PUNCTUATION)
        return is_punctuation(c) ? IS_ALONE : IS_WORD;
    if (kind == SPLIT_SPACES) return IS_WORD;
    return (ucd_properties(c) & UCD_WORD) != 0 ? IS_WORD : IS_OTHER;
}

/* Runs of characters of one class are pieces, each that stands alone is one; spaces are none. */
static int split_by_class(struct tokenizing *work, size_t level, struct span text, int is_first,
                          struct error *err)
{
    enum splitter_kind kind = work->tokenizer->splitters[level].kind;
    const char *at = text.data, *end = text.data + text.size, *start = at;
    enum character_class before = IS_SPACE;
    int rc = 0;
    while (rc == 0 && at < end && !has_enough(work)) {
        const char *here = at;
        enum character_class class = class_of(kind, utf8_next(&at, end));
        if (class == before && class != IS_ALONE) continue;
        if (before != IS_SPACE)
            rc = split(work, level + 1, (struct span){start, (size_t)(here - start)},
                       is_first && start == text.data, err);
        start = here;
        before = class;
    }
    if (rc == 0 && at == end && before != IS_SPACE)
        rc = split(work, level + 1, (struct span){start, (size_t)(end - start)},
                   is_first && start == text.data, err);
    return rc;
}

/* The text with its spaces marked, in work->piece. */
static int mark_spaces(struct tokenizing *work, const struct splitter *splitter, struct span text,
                       int is_first, struct error *err)
{
    size_t size = strlen(splitter->mark);
    int begins =
        text.size > 0 && (text.data[0] == ' ' ||
                          (text.size >= size && memcmp(text.data, splitter->mark, size) == 0));
    int is_prefixed =
        splitter->prefix == PREFIX_ALWAYS || (splitter->prefix == PREFIX_FIRST && is_first);
    int rc = 0;
    buffer_clear(&work->piece);
    if (is_prefixed && !begins) rc = buffer_append(&work->piece, splitter->mark, size, err);
    for (size_t i = 0; rc == 0 && i < text.size;) {
        const char *space = memchr(text.data + i, ' ', text.size - i);
        size_t n = space == NULL ? text.size - i : (size_t)(space - text.data) - i;
        rc = buffer_append(&work->piece, text.data + i, n, err);
        if (rc == 0 && space != NULL) rc = buffer_append(&work->piece, splitter->mark, size, err);
        i += n + 1;
    }
    return rc;
}

/* Where the mark is found from `from` on; the end if it is not. */
static size_t next_mark(struct span text, size_t from, const char *mark, size_t size)
{
    while (from + size <= text.size) {
        const char *at = memchr(text.data + from, mark[0], text.size - from);
        if (at == NULL) break;
        from = (size_t)(at - text.data);
        if (text.size - from >= size && memcmp(at, mark, size) == 0) return from;
        from++;
    }
    return text.size;
}

static int split_metaspace(struct tokenizing *work, size_t level, struct span text, int is_first,
                           struct error *err)
{
    const struct splitter *splitter = &work->tokenizer->splitters[level];
    size_t size = strlen(splitter->mark), start = 0;
    int rc = mark_spaces(work, splitter, text, is_first, err);
    struct span marked = {work->piece.data, work->piece.size};
    if (rc != 0 || splitter->keeps_whole)
        return rc == 0 ? split(work, level + 1, marked, is_first, err) : rc;
    while (rc == 0 && start < marked.size && !has_enough(work)) {
        size_t end = next_mark(marked, start + 1, splitter->mark, size);
        rc = split(work, level + 1, (struct span){marked.data + start, end - start}, 0, err);
        start = end;
    }
    return rc;
}

static int split(struct tokenizing *work, size_t level, struct span text, int is_first,
                 struct error *err)
{
    if (text.size == 0) return 0;
    if (level == work->tokenizer->n_splitters) return tokenizing_piece(work, text, err);
    if (work->tokenizer->splitters[level].kind == SPLIT_METASPACE)
        return split_metaspace(work, level, text, is_first, err);
    return split_by_class(work, level, text, is_first, err);
}

/* ---- tokens in the text itself --------------------------------------------------------------- */

static int is_space_at(const char *at, const char *end)
{
    return at < end && ucd_properties(utf8_next(&at, end)) & UCD_SPACE;
}

static int is_word_at(const char *at, const char *end)
{
    return at < end && ucd_properties(utf8_next(&at, end)) & UCD_WORD;
}

static int stands_alone(struct span text, const char *at, size_t size)
{
    const char *end = text.data + text.size;
    return !(at > text.data && is_word_at(utf8_before(text.data, at), end)) &&
           !is_word_at(at + size, end);
}

static int encode_part(struct tokenizing *work, int which, struct span text, int is_first,
                       struct error *err);

/* What lies between added tokens: normalised, looked through once more, split. */
static int encode_between(struct tokenizing *work, int which, struct span text, int is_first,
                          struct error *err)
{
    if (text.size == 0) return 0;
    if (which == 1) return split(work, 0, text, is_first, err);
    int rc = normalizers_apply(&work->tokenizer->normalizers, text, work->cancel, &work->normalized,
                               &work->spare, err);
    struct span normalized = {work->normalized.data, work->normalized.size};
    return rc == 0 ? encode_part(work, 1, normalized, is_first, err) : rc;
}

/* Of added tokens the first one counts, of those that begin there the longest. */
static int encode_part(struct tokenizing *work, int which, struct span text, int is_first,
                       struct error *err)
{
    const struct tokenizer *tokenizer = work->tokenizer;
    const struct trie *added = &tokenizer->added[which];
    const char *at = text.data, *end = text.data + text.size, *start = at;
    int rc = 0;
    while (added->n_nodes > 1 && rc == 0 && at < end && !has_enough(work)) {
        size_t size = 1;
        int32_t number =
            trie_step(added, TRIE_ROOT, (unsigned char)*at) == TRIE_NONE
                ? -1
                : trie_longest(added, TRIE_ROOT, (struct span){at, (size_t)(end - at)}, &size);
        const struct added_token *token = number < 0 ? NULL : &tokenizer->added_tokens[number];
        if (token == NULL || (token->single_word && !stands_alone(text, at, size))) {
            at += size;
            continue;
        }
        const char *before = at;
        while (token->left && before > start && is_space_at(utf8_before(start, before), end))
            before = utf8_before(start, before);
        rc = encode_between(work, which, (struct span){start, (size_t)(before - start)},
                            is_first && start == text.data, err);
        if (rc == 0) rc = tokens_put(work->tokens, token->id, 0, err);
        at += size;
        while (token->right && is_space_at(at, end)) utf8_next(&at, end);
        start = at;
    }
    if (rc != 0 || has_enough(work)) return rc;
    return encode_between(work, which, (struct span){start, (size_t)(end - start)},
                          is_first && start == text.data, err);
}

/* ---- putting together ------------------------------------------------------------------------ */

/* How many tokens of each text stay, so that there are `limit`. */
static int truncate(size_t n[2], size_t limit, const struct tokenizer_request *request,
                    struct error *err)
{
    size_t total = n[0] + n[1];
    if (total <= limit) return 0;
    if (request->pair == NULL) {
        n[0] = limit;
        return 0;
    }
    if (request->truncation == TOKENIZER_ONLY_SECOND) {
        if (n[1] <= total - limit)
            return error_set(err, ERROR_INVALID,
                             "the first text has %zu tokens, and there is room for %zu of both",
                             n[0], limit);
        n[1] -= total - limit;
        return 0;
    }
    size_t shorter = n[0] < n[1] ? n[0] : n[1], longer = n[0] < n[1] ? n[1] : n[0];
    int is_swapped = n[0] > n[1];
    if (shorter > limit) longer = shorter;
    else longer = limit - shorter > shorter ? limit - shorter : shorter;
    if (shorter + longer > limit) {
        shorter = limit / 2;
        longer = shorter + limit % 2;
    }
    n[is_swapped] = shorter;
    n[!is_swapped] = longer;
    return 0;
}

static int put_together(struct tokenizing *work, const struct post_processor *post, int has_special,
                        const struct tokens texts[2], const size_t n[2], struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < post->n; i++) {
        const struct post_part *part = &post->parts[i];
        size_t count = part->text < 0 ? (size_t)(has_special != 0) : n[part->text];
        for (size_t j = 0; rc == 0 && j < count; j++) {
            uint32_t id = part->text < 0 ? part->id : texts[part->text].ids[j];
            rc = tokens_put(work->tokens, id, part->segment, err);
        }
    }
    return rc;
}

static int encode_text(struct tokenizing *work, const struct tokenizer_request *request,
                       struct span text, struct error *err)
{
    static const struct normalizers lower_case = {.steps = {{.kind = NORMALIZER_LOWERCASE}},
                                                  .n = 1};
    struct buffer lowered, spare;
    if (!request->lowers_case) return encode_part(work, 0, text, 1, err);
    buffer_init(&lowered, MAX_TEXT);
    buffer_init(&spare, MAX_TEXT);
    int rc = normalizers_apply(&lower_case, text, work->cancel, &lowered, &spare, err);
    if (rc == 0) rc = encode_part(work, 0, (struct span){lowered.data, lowered.size}, 1, err);
    buffer_deinit(&lowered);
    buffer_deinit(&spare);
    return rc;
}

static int encode_all(struct tokenizing *work, const struct tokenizer_request *request,
                      struct tokens texts[2], int *truncated, struct error *err)
{
    int is_pair = request->pair != NULL;
    const struct post_processor *post = &work->tokenizer->post[is_pair];
    size_t n_special = request->without_special ? 0 : post->n_special;
    struct tokens *out = work->tokens;
    if (request->max_tokens > 0 && request->max_tokens < n_special)
        return error_set(err, ERROR_INVALID, "%zu tokens do not hold the %zu special ones",
                         request->max_tokens, n_special);
    size_t limit = request->max_tokens - (request->max_tokens > 0 ? n_special : 0);
    work->limit = is_pair || request->max_tokens == 0 ? 0 : limit + 1;
    work->tokens = &texts[0];
    int rc = encode_text(work, request, request->text, err);
    work->tokens = &texts[1];
    if (rc == 0 && is_pair) rc = encode_text(work, request, *request->pair, err);
    work->tokens = out;
    size_t n[2] = {texts[0].n, texts[1].n}, total = n[0] + n[1];
    if (rc == 0 && request->max_tokens > 0) rc = truncate(n, limit, request, err);
    if (truncated != NULL) *truncated = n[0] + n[1] < total;
    return rc == 0 ? put_together(work, post, n_special > 0, texts, n, err) : rc;
}

int tokenizer_encode(const struct tokenizer *tokenizer, const struct tokenizer_request *request,
                     struct tokens *tokens, int *truncated, struct error *err)
{
    struct tokenizing work = {.tokenizer = tokenizer, .cancel = request->cancel, .tokens = tokens};
    struct tokens texts[2];
    size_t n_before = tokens->n;
    for (int i = 0; i < 2; i++) tokens_init(&texts[i]);
    buffer_init(&work.normalized, MAX_TEXT);
    buffer_init(&work.spare, MAX_TEXT);
    buffer_init(&work.piece, MAX_TEXT);
    int rc = encode_all(&work, request, texts, truncated, err);
    if (rc != 0) tokens->n = n_before;
    for (int i = 0; i < 2; i++) tokens_deinit(&texts[i]);
    buffer_deinit(&work.normalized);
    buffer_deinit(&work.spare);
    buffer_deinit(&work.piece);
    memory_free(work.best);
    memory_free(work.lengths);
    memory_free(work.ids);
    return rc;
}
