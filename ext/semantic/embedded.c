#include "semantic/embedded.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "semantic/content.h"
#include "semantic/pending.h"
#include "store/failures.h"

void embedded_fingerprint(const struct store_state *state, char out[EMBEDDED_FINGERPRINT_SIZE])
{
    /* Indexes of early versions know their model's name alone. */
    const char *identity = state->identity[0] != '\0' ? state->identity : state->model;
    size_t used = (size_t)snprintf(out, EMBEDDED_FINGERPRINT_SIZE, "%s", identity);
    if (state->fingerprint != 0)
        used += (size_t)snprintf(out + used, EMBEDDED_FINGERPRINT_SIZE - used, " %016llx",
                                 (unsigned long long)state->fingerprint);
    if (state->fit != 0)
        snprintf(out + used, EMBEDDED_FINGERPRINT_SIZE - used, " fit %016llx",
                 (unsigned long long)state->fit);
}

void embedded_hash(const struct store_state *state, uint64_t hash, char out[EMBEDDED_HASH_SIZE])
{
    char fingerprint[EMBEDDED_FINGERPRINT_SIZE];
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(hash >> (8 * i));
    embedded_fingerprint(state, fingerprint);
    uint64_t seed = hash_bytes(fingerprint, strlen(fingerprint), 0);
    snprintf(out, EMBEDDED_HASH_SIZE, "%016llx",
             (unsigned long long)hash_bytes(bytes, sizeof bytes, seed));
}

/* The text that an index keeps itself, and that waits to be written. */
static int read_waiting(struct pending_row *row, const struct pending_row *waiting, int *exists,
                        int *found, struct error *err)
{
    *exists = waiting->kind != PENDING_DELETE;
    *found = *exists && waiting->kind != PENDING_BLANK && waiting->text != NULL;
    if (!*found) return 0;
    row->hash = waiting->hash;
    row->text = memory_copy(waiting->text, waiting->text_size);
    row->text_size = waiting->text_size;
    return row->text == NULL ? error_nomem(err) : 0;
}

/* The text of the row as this transaction sees it, or why it cannot be embedded. *found = 0: there
 * is nothing to embed. */
static int read_text(struct semantic_table *table, struct pending_row *row, int *exists, int *found,
                     struct error *err)
{
    const struct pending_row *waiting =
        table->config.content == NULL ? pending_find(table->pending, row->id) : NULL;
    struct buffer text;
    struct error bad;
    row->hash = EMBEDDED_NO_TEXT;
    if (waiting != NULL) return read_waiting(row, waiting, exists, found, err);
    buffer_init(&text, CONTENT_MAX_TEXT);
    int rc = content_text(table, row->id, &text, &bad, exists, found, err);
    if (rc == 0 && *found) {
        row->hash = content_hash(&text, &bad);
        rc = pending_take_text(row, &text, &bad, err);
    }
    buffer_deinit(&text);
    return rc;
}

/* A row without a text goes, from the failures too; but for one that is there and has a vector of
 * the user's. */
static int settle_deletion(struct semantic_table *table, const struct store_state *state,
                           struct pending_row *row, int exists, int *needed, struct error *err)
{
    const struct pending_row *waiting = pending_find(table->pending, row->id);
    struct store_row stored;
    uint64_t hash;
    int found, failed = 0;
    row->kind = PENDING_DELETE;
    int rc = store_get_row(&table->store, row->id, &stored, &found, err);
    int is_own = (waiting != NULL && waiting->kind == PENDING_VECTOR) || (found && stored.own);
    if (rc == 0) rc = failures_find(&table->store, state, row->id, &hash, &failed, err);
    *needed = (found || failed || waiting != NULL) && !(exists && is_own);
    return rc;
}

static int conflict(const struct semantic_table *table, int exists, struct error *err)
{
    const char *name = table->store.name;
    int rc = error_set(err, ERROR_STORAGE,
                       "%s since semantic_pending('%s') gave its hash: ask it again "
                       "(INSERT OR IGNORE passes over such rows, which stay pending)",
                       !exists ? "it went, or the model changed," : "its text or the model changed",
                       name);
    if (err != NULL) err->storage_code = SQLITE_CONSTRAINT;
    return rc;
}

/* A hash, alone or before a reason. */
static int is_hash(const char *hash)
{
    const size_t size = EMBEDDED_HASH_SIZE - 1;
    return strspn(hash, "0123456789abcdef") == size && (hash[size] == '\0' || hash[size] == ' ');
}

/* Records that semantic_pending gave no embedding for the row, and why if it came with the hash. */
static int settle_failure(struct pending_row *row, const char *hash, struct error *err)
{
    const char *reason = hash + EMBEDDED_HASH_SIZE - 1;
    struct error why;
    if (*reason == '\0' && row->refused != NULL) return 0;
    error_set(&why, ERROR_REFUSED, "%s",
              *reason != '\0' ? reason + 1
                              : "it could not be embedded where semantic_pending was asked");
    return pending_refuse(row, &why, err);
}

int embedded_settle(struct semantic_table *table, const char *hash, int has_vector,
                    struct pending_row *row, int *needed, struct error *err)
{
    struct store_state state;
    char expected[EMBEDDED_HASH_SIZE];
    int exists = 0, has_text = 0;
    *needed = 1;
    if (!is_hash(hash))
        return error_set(err, ERROR_INVALID,
                         "expected 'embedded ' and the hash that semantic_pending gives, 16 hex "
                         "digits, not '%.40s'",
                         hash);
    int rc = store_read_state(&table->store, &state, err);
    if (rc == 0) rc = read_text(table, row, &exists, &has_text, err);
    if (rc != 0) return rc;
    embedded_hash(&state, row->hash, expected);
    if (strncmp(hash, expected, EMBEDDED_HASH_SIZE - 1) != 0) return conflict(table, exists, err);
    row->fit = state.fit;
    if (!has_text && has_vector)
        return error_set(err, ERROR_INVALID,
                         "expected embedding NULL, as there is nothing to embed");
    if (!has_text) return settle_deletion(table, &state, row, exists, needed, err);
    if (row->refused != NULL && has_vector)
        return error_set(err, ERROR_INVALID, "expected embedding NULL: %s", row->refused);
    return has_vector ? 0 : settle_failure(row, hash, err);
}
