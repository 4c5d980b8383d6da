#include "sqlite/subword_tokenizer.h"

#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "embedded/table.h"
#include "sqlite/fts5.h"
#include "text/spelling.h"
#include "text/subwords.h"
#include "text/unicode/ucd.h"
#include "text/unspaced.h"
#include "text/utf8.h"
#include "text/word_cache.h"

typedef int (*token_callback)(void *context, int flags, const char *token, int size, int start,
                              int end);

/* What FTS5 calls an Fts5Tokenizer: ours and the one inside. */
struct subword_tokenizer {
    fts5_tokenizer methods;
    Fts5Tokenizer *inner;
    /* Whether the one inside parts words at all of ASCII but letters and digits, so that what
     * stands between may be given to it alone. */
    int parts_at_ascii;
    struct word_cache *cache; /* owned; NULL until there is a document */
    struct buffer spelled, spare;
};

/* One text. */
struct tokenizing {
    struct subword_tokenizer *tokenizer;
    void *context;
    token_callback callback;
    struct span text;
    int flags;
    int offset;                /* of the stretch that the inner tokenizer is at */
    struct cached_word *entry; /* where its first token is noted; or NULL */
    int n_tokens;              /* that the entry would have to hold */
};

static int wants_pieces(int flags)
{
    return (flags & FTS5_TOKENIZE_TERMS) != FTS5_TOKENIZE_QUERY;
}

static int is_document(int flags)
{
    return (flags & FTS5_TOKENIZE_QUERY) == 0;
}

static int give(const struct tokenizing *all, int flags, struct span token, int start, int end)
{
    return all->callback(all->context, flags, token.data, (int)token.size, start, end);
}

/* ---- words ----------------------------------------------------------------------------------- */

/* English words: those that the table of builtin:static has whole. */
static int is_known(struct span word)
{
    char small[TABLE_LONGEST];
    if (word.size > sizeof small) return 0;
    for (size_t i = 0; i < word.size; i++) {
        small[i] = (char)(word.data[i] | 0x20);
        if (small[i] < 'a' || small[i] > 'z') return 0;
    }
    return table_has_word((struct span){small, word.size});
}

/* `start` and `end` as the inner tokenizer has them. */
static void note_word(struct tokenizing *all, struct span token, int start, int end)
{
    struct cached_word *entry = all->entry;
    all->n_tokens++;
    if (token.size > WORD_CACHE_BYTES || start < 0 || end < start || end > WORD_CACHE_BYTES)
        all->n_tokens = 2;
    if (entry == NULL || all->n_tokens > 1) return;
    entry->start = (unsigned char)start;
    entry->end = (unsigned char)end;
    entry->token_size = (unsigned char)token.size;
    memset(entry->beginnings, 0, sizeof entry->beginnings);
    entry->piece[0] = SUBWORD_MARK;
    memcpy(entry->piece + 1, token.data, token.size);
}

/* What a token was made of; nothing, where the inner tokenizer says what cannot be. */
static struct span word_at(const struct tokenizing *all, int start, int end)
{
    if (start < 0 || end < start || (size_t)end > all->text.size) return (struct span){"", 0};
    return (struct span){all->text.data + start, (size_t)(end - start)};
}

static int add_pieces(struct tokenizing *all, struct span token, int start, int end)
{
    int known = is_known(word_at(all, start, end));
    struct subwords subwords;
    struct span piece;
    int rc = SQLITE_OK;
    subwords_begin(&subwords, token,
                   known                     ? SUBWORDS_SHORT
                   : is_document(all->flags) ? SUBWORDS_ALL
                                             : SUBWORDS_INSIDE);
    for (size_t n = 0; rc == SQLITE_OK && subwords_next(&subwords, &piece); n++) {
        rc = give(all, FTS5_TOKEN_COLOCATED, piece, start, end);
        if (!subwords.are_beginnings) all->n_tokens = 2;
        else if (all->entry != NULL && all->n_tokens == 1)
            all->entry->beginnings[n] = (unsigned char)(piece.size - 1);
    }
    return rc;
}

static int add_word(void *data, int flags, const char *bytes, int size, int start, int end)
{
    struct tokenizing *all = data;
    struct span token = {bytes, (size_t)size};
    note_word(all, token, start, end);
    start += all->offset;
    end += all->offset;
    int rc = give(all, flags, token, start, end);
    if (rc != SQLITE_OK || !wants_pieces(all->flags)) return rc;
    return add_pieces(all, token, start, end);
}

static int add_cached(const struct tokenizing *all, const struct cached_word *word, int offset)
{
    int start = offset + word->start, end = offset + word->end;
    int rc = give(all, 0, (struct span){word->piece + 1, word->token_size}, start, end);
    for (size_t i = 0; rc == SQLITE_OK && i < SUBWORDS_BEGINNINGS && word->beginnings[i] > 0; i++)
        rc = give(all, FTS5_TOKEN_COLOCATED, (struct span){word->piece, 1 + word->beginnings[i]},
                  start, end);
    return rc;
}

/* ---- scripts without spaces ------------------------------------------------------------------ */

static int add_token(const struct tokenizing *all, int flags, struct span token, const char *start,
                     const char *end)
{
    return give(all, flags, token, (int)(start - all->text.data), (int)(end - all->text.data));
}

static int add_character(const struct tokenizing *all, int flags,
                         const struct unspaced_character *one)
{
    return add_token(all, flags, (struct span){one->folded, one->size}, one->start, one->end);
}

static int add_pair(const struct tokenizing *all, const struct unspaced_character *one,
                    const struct unspaced_character *other)
{
    char pair[2 * UNSPACED_MAX_BYTES];
    memcpy(pair, one->folded, one->size);
    memcpy(pair + one->size, other->folded, other->size);
    int rc =
        add_token(all, 0, (struct span){pair, one->size + other->size}, one->start, other->end);
    if (rc == SQLITE_OK && is_document(all->flags))
        rc = add_character(all, FTS5_TOKEN_COLOCATED, one);
    return rc;
}

static int add_unspaced(const struct tokenizing *all, struct span stretch)
{
    struct unspaced_character characters[2];
    const char *at = stretch.data, *end = at + stretch.size;
    int rc = SQLITE_OK, n = 0;
    for (; rc == SQLITE_OK && at < end; n++) {
        unspaced_next(&at, end, &characters[n % 2]);
        if (n > 0) rc = add_pair(all, &characters[(n + 1) % 2], &characters[n % 2]);
    }
    if (rc == SQLITE_OK && (n == 1 || is_document(all->flags)))
        rc = add_character(all, 0, &characters[(n + 1) % 2]);
    return rc;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static int add_spaced(struct tokenizing *all, struct span text)
{
    const struct subword_tokenizer *tokenizer = all->tokenizer;
    all->offset = (int)(text.data - all->text.data);
    return tokenizer->methods.xTokenize(tokenizer->inner, all, all->flags, text.data,
                                        (int)text.size, add_word);
}

/* Where a text stands that is read in another spelling. */
struct respelled {
    const struct tokenizing *all;
    int start, end;
};

static int give_whole(void *context, int flags, const char *token, int size, int start, int end)
{
    const struct respelled *whole = context;
    (void)start, (void)end;
    return give(whole->all, flags, (struct span){token, (size_t)size}, whole->start, whole->end);
}

/* Every token of it stands where it does: which characters became which is not kept. */
static int add_respelled(struct tokenizing *all, struct span text, struct span spelled)
{
    int start = (int)(text.data - all->text.data);
    struct respelled whole = {all, start, start + (int)text.size};
    struct tokenizing inside = {all->tokenizer, &whole, give_whole, spelled,
                                all->flags,     0,      NULL,       0};
    all->n_tokens = 2;
    return spelled.size > 0 ? add_spaced(&inside, spelled) : SQLITE_OK;
}

/* *spelled: the text in the one spelling of spelling.h, or the text itself. */
static int spell(struct subword_tokenizer *tokenizer, struct span text, struct span *spelled)
{
    return spelling_apply(text, NULL, &tokenizer->spelled, &tokenizer->spare, spelled, NULL) == 0
               ? SQLITE_OK
               : SQLITE_NOMEM;
}

static int add_run(struct tokenizing *all, struct span run)
{
    struct span spelled;
    int rc = spell(all->tokenizer, run, &spelled);
    if (rc != SQLITE_OK || run.size == 0) return rc;
    return spelled.data == run.data ? add_spaced(all, run) : add_respelled(all, run, spelled);
}

static int parts_runs(uint32_t c)
{
    return (ucd_properties(c) & (UCD_SPACE | UCD_PUNCTUATION)) != 0 || c == 0xFFFD;
}

/* Words that are typed in several ways, as macOS writes names of files and as others do, are one.
 * What parts words stays what it is, so that each is known to stand where it does. */
static int add_spelled(struct tokenizing *all, struct span text)
{
    struct span spelled;
    if (!all->tokenizer->parts_at_ascii) return add_spaced(all, text);
    int rc = spell(all->tokenizer, text, &spelled);
    if (rc == SQLITE_OK && spelled.data == text.data) return add_spaced(all, text);
    const char *at = text.data, *end = at + text.size, *start = at;
    while (rc == SQLITE_OK && at < end) {
        const char *before = at;
        if (!parts_runs(utf8_next(&at, end))) continue;
        rc = add_run(all, (struct span){start, (size_t)(before - start)});
        start = at;
    }
    return rc == SQLITE_OK ? add_run(all, (struct span){start, (size_t)(end - start)}) : rc;
}

static int add_stretches(struct tokenizing *all, struct span text)
{
    const char *at = text.data, *end = at + text.size;
    int rc = SQLITE_OK, unspaced;
    while (rc == SQLITE_OK && at < end) {
        struct span stretch = unspaced_stretch(&at, end, &unspaced);
        if (unspaced) all->n_tokens = 2;
        rc = unspaced ? add_unspaced(all, stretch) : add_spelled(all, stretch);
    }
    return rc;
}

static int add_unkept(struct tokenizing *all, struct span text, int is_ascii)
{
    return is_ascii ? add_spaced(all, text) : add_stretches(all, text);
}

/* What stands between ASCII that parts words. */
static int add_between(struct tokenizing *all, struct span text, int is_ascii)
{
    all->entry = NULL;
    if (text.size > WORD_CACHE_BYTES || !is_document(all->flags))
        return add_unkept(all, text, is_ascii);
    struct word_key key = word_key(text);
    struct cached_word *entry = word_cache_entry(all->tokenizer->cache, &key);
    if (word_key_is(&entry->key, &key))
        return add_cached(all, entry, (int)(text.data - all->text.data));
    entry->key = (struct word_key){{0}};
    all->entry = entry;
    all->n_tokens = 0;
    int rc = add_unkept(all, text, is_ascii);
    if (rc == SQLITE_OK && all->n_tokens == 1) entry->key = key;
    return rc;
}

/* Letters and digits of ASCII, and all that is not ASCII. */
static const unsigned char is_of_word[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0,
    0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0,
    0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
};

static int add_all(struct tokenizing *all, struct span text)
{
    const unsigned char *at = (const unsigned char *)text.data, *end = at + text.size;
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK) {
        while (at < end && is_of_word[*at] == 0) at++;
        if (at == end) break;
        const unsigned char *start = at;
        unsigned any = 0;
        for (; at < end && is_of_word[*at] != 0; at++) any |= *at;
        struct span word = {(const char *)start, (size_t)(at - start)};
        rc = add_between(all, word, any < 0x80);
    }
    return rc;
}

/* ---- FTS5's methods -------------------------------------------------------------------------- */

static int tokenize(Fts5Tokenizer *data, void *context, int flags, const char *text, int size,
                    token_callback callback)
{
    struct subword_tokenizer *tokenizer = (struct subword_tokenizer *)data;
    if (size <= 0) return SQLITE_OK;
    struct span whole = {text, (size_t)size};
    struct tokenizing all = {tokenizer, context, callback, whole, flags, 0, NULL, 0};
    if (*text == SUBWORD_MARK && !is_document(flags))
        return callback(context, 0, text, size, 0, size);
    if (!tokenizer->parts_at_ascii) return add_stretches(&all, whole);
    if (is_document(flags) && tokenizer->cache == NULL) {
        tokenizer->cache = memory_zalloc(1, sizeof *tokenizer->cache);
        if (tokenizer->cache == NULL) return SQLITE_NOMEM;
    }
    int rc = add_all(&all, whole);
    return rc == SQLITE_DONE ? SQLITE_OK : rc; /* the caller has enough */
}

static void delete_tokenizer(Fts5Tokenizer *data)
{
    struct subword_tokenizer *tokenizer = (struct subword_tokenizer *)data;
    if (tokenizer->inner != NULL) tokenizer->methods.xDelete(tokenizer->inner);
    memory_free(tokenizer->cache);
    buffer_deinit(&tokenizer->spelled);
    buffer_deinit(&tokenizer->spare);
    memory_free(tokenizer);
}

/* What FTS5 hands to `create`. */
struct registration {
    struct connection *connection;
    fts5_api *api;
};

static int is_named(const char *argument, const char *name)
{
    return sqlite3_stricmp(argument, name) == 0;
}

/* unicode61 parts there unless it is told which characters do, and `porter` as the one inside. */
static int finds_ascii_parting(const char **arguments, int n)
{
    int i = n > 0 && is_named(arguments[0], "porter");
    if (i < n && !is_named(arguments[i++], "unicode61")) return 0;
    while (i + 1 < n && is_named(arguments[i], "remove_diacritics")) i += 2;
    return i >= n;
}

static int create_inner(const struct registration *registration, const char **arguments,
                        int n_arguments, struct subword_tokenizer *tokenizer)
{
    const char *name = n_arguments > 0 ? arguments[0] : "unicode61";
    fts5_api *api = registration->api;
    void *user_data;
    int rc = api->xFindTokenizer(api, name, &user_data, &tokenizer->methods);
    if (rc != SQLITE_OK) return rc;
    int n_rest = n_arguments > 1 ? n_arguments - 1 : 0;
    tokenizer->parts_at_ascii = finds_ascii_parting(arguments, n_arguments);
    return tokenizer->methods.xCreate(user_data, arguments + (n_arguments > 0), n_rest,
                                      &tokenizer->inner);
}

static int create_tokenizer(void *registration, const char **arguments, int n_arguments,
                            Fts5Tokenizer **created)
{
    struct subword_tokenizer *tokenizer = memory_zalloc(1, sizeof *tokenizer);
    if (tokenizer == NULL) return SQLITE_NOMEM;
    buffer_init(&tokenizer->spelled, SIZE_MAX / 4);
    buffer_init(&tokenizer->spare, SIZE_MAX / 4);
    int rc = create_inner(registration, arguments, n_arguments, tokenizer);
    if (rc == SQLITE_OK) {
        *created = (Fts5Tokenizer *)tokenizer;
    } else {
        tokenizer->inner = NULL; /* undefined where xCreate failed */
        delete_tokenizer((Fts5Tokenizer *)tokenizer);
    }
    return rc;
}

static void free_registration(void *data)
{
    struct registration *registration = data;
    struct connection *connection = registration->connection;
    memory_free(registration);
    connection_release(connection);
}

static int register_with(struct connection *connection, fts5_api *api)
{
    static fts5_tokenizer methods = {create_tokenizer, delete_tokenizer, tokenize};
    struct registration *registration = memory_alloc(1, sizeof *registration);
    if (registration == NULL) return SQLITE_NOMEM;
    *registration = (struct registration){connection_reference(connection), api};
    int rc = api->xCreateTokenizer(api, "rerank", registration, &methods, free_registration);
    if (rc != SQLITE_OK) free_registration(registration);
    return rc;
}

int subword_tokenizer_register(struct connection *connection)
{
    fts5_api *api;
    int rc = fts5_find(connection, &api, NULL);
    if (rc == ERROR_NOMEM) return SQLITE_NOMEM;
    if (rc == 0 && api != NULL) return register_with(connection, api);
    /* An authorizer may deny it: then there is no such tokenizer. What is run next forgets the
     * error. */
    return sqlite3_exec(connection->db, "", NULL, NULL, NULL);
}
