/*
 * words_proof.h: whether X_fts says of its texts what it would if they were written now. It keeps
 * none, so neither FTS5's own check nor words_check() can tell: lengths that are others, words
 * that a query does not find.
 *
 * Texts are cut into tokens again. Their number must be the length of the document in FTS5's table
 * of lengths, and the sum of that table what FTS5 counts. Of each word the places in all texts, as
 * a sum of hashes, must be those that a query for it finds: of all words up to WORDS_PROOF_TERMS;
 * of more, of those whose hashes end in so many zero bits that there are no more than that. Left
 * out are words of more than WORDS_PROOF_BYTES, and those that the tokenizer does not make of any
 * piece of text alone.
 */
#ifndef STORE_WORDS_PROOF_H
#define STORE_WORDS_PROOF_H

#include "base/span.h"
#include "store/store.h"

#define WORDS_PROOF_TERMS ((size_t)1 << 14)
#define WORDS_PROOF_BYTES 47

/* Holds statements: nobody may write while it is open. */
struct words_proof;

/* ERROR_UNAVAILABLE: this SQLite has no FTS5; ERROR_INVALID: it does not have the tokenizer. */
int words_proof_open(struct store *store, struct words_proof **proof, struct error *err);
void words_proof_close(struct words_proof *proof); /* accepts NULL */

/* A row whose words are those of the text; one without a document is passed over. ERROR_CORRUPT:
 * how long that is. */
int words_proof_add(struct words_proof *proof, int64_t id, struct span text, struct error *err);

/* After the last row: looks the words up. ERROR_CORRUPT: what is not found, or too much. */
int words_proof_end(struct words_proof *proof, struct error *err);

#endif
