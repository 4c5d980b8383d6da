/*
 * embedded.h: embeddings by the index's model that were made elsewhere.
 *
 * semantic_pending gives them, on any connection, and
 *
 *   INSERT INTO x(x, rowid, embedding) SELECT 'embedded ' || hash, rowid, embedding FROM ...
 *
 * takes them, on any other, as a sync would have made them. A hash binds each to the text that was
 * embedded and to the model: 16 hex digits, XXH64 of the hash that X_rows has of the text (of ''
 * for a row to delete), little-endian, seeded by the fingerprint. It finds out what changed in
 * between; whoever may write the index may write any vector, so it need not hold against more.
 *
 * A row that could not be embedded has a space behind its hash, and the reason: it is recorded
 * where the row is taken, so that failures are the same everywhere.
 */
#ifndef SEMANTIC_EMBEDDED_H
#define SEMANTIC_EMBEDDED_H

#include "base/hash.h"
#include "semantic/table.h"

#define EMBEDDED_HASH_SIZE 17
#define EMBEDDED_FINGERPRINT_SIZE (sizeof((struct store_state *)NULL)->identity + 48)

/* What all vectors of an index have in common, in words: what its model's name stands for, what
 * that was made of, and the fit, of a model that was fitted. */
void embedded_fingerprint(const struct store_state *state, char out[EMBEDDED_FINGERPRINT_SIZE]);

/* `hash`: of the text, as X_rows has it. */
#define EMBEDDED_NO_TEXT (hash_bytes(NULL, 0, 0))
void embedded_hash(const struct store_state *state, uint64_t hash, char out[EMBEDDED_HASH_SIZE]);

/* Makes *row, which has an id, what a sync would write of it, but for the vector. Without one it is
 * deleted if it has no text, and else one that could not be embedded, for the reason behind the
 * hash. *needed = 0: there is nothing left to do. ERROR_STORAGE with SQLITE_CONSTRAINT when the
 * hash is of another text or model than there is now; ERROR_INVALID. Neither names the row. The
 * caller frees what the row owns, after a failure too. */
int embedded_settle(struct semantic_table *table, const char *hash, int has_vector,
                    struct pending_row *row, int *needed, struct error *err);

#endif
