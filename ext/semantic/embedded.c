#include "semantic/embedded.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "semantic/content.h"
#include "semantic/pending.h"

void embedded_fingerprint(const struct store_state *state, char out[EMBEDDED_FINGERPRINT_SIZE])
{
    /* Indexes of early versions know their model's name alone. */
    const char *identity = state->identity[0] != '\0' ? state->identity : state->model;
    if (state->fit == 0) snprintf(out, EMBEDDED_FINGERPRINT_SIZE, "%s", identity);
    else
        snprintf(out, EMBEDDED_FINGERPRINT_SIZE, "%s fit %016llx", identity,
                 (unsigned long long)state->fit);
}

void embedded_hash(const struct store_state *state, struct span text, char out[EMBEDDED_HASH_SIZE])
{
    char fingerprint[EMBEDDED_FINGERPRINT_SIZE];
    embedded_fingerprint(state, fingerprint);
    uint64_t seed = hash_bytes(fingerprint, strlen(fingerprint), 0);
    snprintf(out, EMBEDDED_HASH_SIZE, "%016llx",
             (unsigned long long)hash_bytes(text.data, text.size, seed));
}

static int copy_text(struct pending_row *row, struct span text, struct error *err)
{
    row->text = memory_copy(text.size > 0 ? text.data : "", text.size);
    row->text_size = text.size;
    row->hash = hash_bytes(text.data, text.size, 0);
    return row->text == NULL ? error_nomem(err) : 0;
}

/* The text of the row as this transaction sees it: '' when there is nothing to embed. Texts that
 * wait to be written are those of an index that keeps its own. */
static int read_text(struct semantic_table *table, struct pending_row *row, int *exists,
                     struct error *err)
{
    const struct pending_row *waiting = pending_find(table->pending, row->id);
    if (table->config.content == NULL && waiting != NULL) {
        *exists = waiting->kind != PENDING_DELETE;
        return copy_text(row, (struct span){waiting->text, waiting->text_size}, err);
    }
    struct buffer text;
    struct error bad;
    int found;
    buffer_init(&text, CONTENT_MAX_TEXT);
    int rc = content_text(table, row->id, &text, &bad, exists, &found, err);
    if (rc == 0 && bad.code != 0) {
        *err = bad;
        rc = bad.code;
        error_context(err, "row %lld", (long long)row->id);
    }
    if (rc == 0) rc = copy_text(row, (struct span){text.data, text.size}, err);
    buffer_deinit(&text);
    return rc;
}

/* A row without a text goes; but for one that is there and has a vector of the user's. */
static int settle_deletion(struct semantic_table *table, struct pending_row *row, int exists,
                           int *needed, struct error *err)
{
    const struct pending_row *waiting = pending_find(table->pending, row->id);
    struct store_row stored;
    int found;
    row->kind = PENDING_DELETE;
    int rc = store_get_row(&table->store, row->id, &stored, &found, err);
    int is_own = waiting != NULL ? waiting->kind == PENDING_VECTOR : found && stored.own;
    *needed = (found || waiting != NULL) && !(exists && is_own);
    return rc;
}

static int conflict(const struct semantic_table *table, const struct pending_row *row, int exists,
                    struct error *err)
{
    const char *name = table->store.name;
    int rc = error_set(err, ERROR_STORAGE,
                       "row %lld: %s since semantic_pending('%s') gave its hash: ask it again "
                       "(INSERT OR IGNORE passes over such rows, which stay pending)",
                       (long long)row->id,
                       !exists ? "it went, or the model changed," : "its text or the model changed",
                       name);
    if (err != NULL) err->storage_code = SQLITE_CONSTRAINT;
    return rc;
}

static int is_hash(const char *hash)
{
    return strlen(hash) == EMBEDDED_HASH_SIZE - 1 &&
           strspn(hash, "0123456789abcdef") == strlen(hash);
}

int embedded_settle(struct semantic_table *table, const char *hash, int has_vector,
                    struct pending_row *row, int *needed, struct error *err)
{
    struct store_state state;
    char expected[EMBEDDED_HASH_SIZE];
    int exists = 0;
    *needed = 1;
    if (!is_hash(hash))
        return error_set(err, ERROR_INVALID,
                         "row %lld: expected 'embedded ' and the hash that semantic_pending gives, "
                         "16 hex digits, not '%.40s'",
                         (long long)row->id, hash);
    int rc = store_read_state(&table->store, &state, err);
    if (rc == 0) rc = read_text(table, row, &exists, err);
    if (rc != 0) return rc;
    embedded_hash(&state, (struct span){row->text, row->text_size}, expected);
    if (strcmp(hash, expected) != 0) return conflict(table, row, exists, err);
    row->fit = state.fit;
    if (has_vector != (row->text_size > 0))
        return error_set(err, ERROR_INVALID,
                         has_vector ? "row %lld: expected embedding NULL, as it has no text"
                                    : "row %lld: embedding is NULL, expected that of its text",
                         (long long)row->id);
    return has_vector ? 0 : settle_deletion(table, row, exists, needed, err);
}
