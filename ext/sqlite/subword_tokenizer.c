#include "sqlite/subword_tokenizer.h"

#include <string.h>

#include "base/memory.h"
#include "sqlite/fts5.h"
#include "text/subwords.h"
#include "text/unspaced.h"

typedef int (*token_callback)(void *context, int flags, const char *token, int size, int start,
                              int end);

/* What FTS5 calls an Fts5Tokenizer: ours and the one inside. */
struct subword_tokenizer {
    fts5_tokenizer methods;
    Fts5Tokenizer *inner;
};

/* One text. */
struct tokenizing {
    void *context;
    token_callback callback;
    const char *text;
    int flags;
    int offset; /* of the stretch that the inner tokenizer is at */
};

static int wants_pieces(int flags)
{
    return (flags & FTS5_TOKENIZE_TERMS) != FTS5_TOKENIZE_QUERY;
}

static int wants_characters(int flags)
{
    return (flags & FTS5_TOKENIZE_QUERY) == 0;
}

/* ---- words ----------------------------------------------------------------------------------- */

static int add_word(void *data, int flags, const char *token, int size, int start, int end)
{
    struct tokenizing *all = data;
    struct subwords subwords;
    struct span piece;
    start += all->offset;
    end += all->offset;
    int rc = all->callback(all->context, flags, token, size, start, end);
    if (rc != SQLITE_OK || !wants_pieces(all->flags)) return rc;
    subwords_begin(&subwords, (struct span){token, (size_t)size});
    while (rc == SQLITE_OK && subwords_next(&subwords, &piece))
        rc = all->callback(all->context, FTS5_TOKEN_COLOCATED, piece.data, (int)piece.size, start,
                           end);
    return rc;
}

/* ---- scripts without spaces ------------------------------------------------------------------ */

static int add_token(const struct tokenizing *all, int flags, struct span token, const char *start,
                     const char *end)
{
    return all->callback(all->context, flags, token.data, (int)token.size, (int)(start - all->text),
                         (int)(end - all->text));
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
    if (rc == SQLITE_OK && wants_characters(all->flags))
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
    if (rc == SQLITE_OK && (n == 1 || wants_characters(all->flags)))
        rc = add_character(all, 0, &characters[(n + 1) % 2]);
    return rc;
}

/* ---- FTS5's methods -------------------------------------------------------------------------- */

static int tokenize_stretches(const struct subword_tokenizer *tokenizer, struct tokenizing *all,
                              struct span text)
{
    const char *at = text.data, *end = at + text.size;
    int rc = SQLITE_OK, unspaced;
    while (rc == SQLITE_OK && at < end) {
        struct span stretch = unspaced_stretch(&at, end, &unspaced);
        all->offset = (int)(stretch.data - text.data);
        rc = unspaced ? add_unspaced(all, stretch)
                      : tokenizer->methods.xTokenize(tokenizer->inner, all, all->flags,
                                                     stretch.data, (int)stretch.size, add_word);
    }
    return rc;
}

static int tokenize(Fts5Tokenizer *data, void *context, int flags, const char *text, int size,
                    token_callback callback)
{
    struct tokenizing all = {context, callback, text, flags, 0};
    if (size <= 0) return SQLITE_OK;
    if (*text == SUBWORD_MARK && flags & FTS5_TOKENIZE_QUERY)
        return callback(context, 0, text, size, 0, size);
    return tokenize_stretches((struct subword_tokenizer *)data, &all,
                              (struct span){text, (size_t)size});
}

static void delete_tokenizer(Fts5Tokenizer *data)
{
    struct subword_tokenizer *tokenizer = (struct subword_tokenizer *)data;
    if (tokenizer->inner != NULL) tokenizer->methods.xDelete(tokenizer->inner);
    memory_free(tokenizer);
}

/* What FTS5 hands to `create`. */
struct registration {
    struct connection *connection;
    fts5_api *api;
};

static int create_inner(const struct registration *registration, const char **arguments,
                        int n_arguments, struct subword_tokenizer *tokenizer)
{
    const char *name = n_arguments > 0 ? arguments[0] : "unicode61";
    fts5_api *api = registration->api;
    void *user_data;
    int rc = api->xFindTokenizer(api, name, &user_data, &tokenizer->methods);
    if (rc != SQLITE_OK) return rc;
    int n_rest = n_arguments > 1 ? n_arguments - 1 : 0;
    return tokenizer->methods.xCreate(user_data, arguments + (n_arguments > 0), n_rest,
                                      &tokenizer->inner);
}

static int create_tokenizer(void *registration, const char **arguments, int n_arguments,
                            Fts5Tokenizer **created)
{
    struct subword_tokenizer *tokenizer = memory_zalloc(1, sizeof *tokenizer);
    if (tokenizer == NULL) return SQLITE_NOMEM;
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
