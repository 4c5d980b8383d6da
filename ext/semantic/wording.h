/*
 * wording.h: the words of rows, when they are written (store/words.h says how). Of an index without
 * words all of it does nothing.
 *
 * FTS5 cannot be written within xSync, where rows that wait are embedded at COMMIT. So the words of
 * a row are written when it is noted, in xUpdate, where savepoints and ROLLBACK hold for them as
 * for all else; rows that get no vector in the end lose them in the flush (store_write_rows), which
 * is a write of an ordinary table. In between an index has words of rows whose vectors wait, which
 * nobody sees: all reads flush first.
 *
 * What a flush finds otherwise it mends: a row whose text is another by now than when it was noted,
 * or that is left as it was. In xSync it only kills the old words, and puts the row off
 * (X_wordless): the first write of a later transaction, or a sync, writes them.
 *
 * The words of a row are those of the text that its vector is of: that of the hash in X_rows.
 */
#ifndef SEMANTIC_WORDING_H
#define SEMANTIC_WORDING_H

#include "semantic/table.h"

/* Before a row is noted in xUpdate: whether its words can be written, and are not yet. Writes those
 * that were put off, if there are few. */
int wording_begin(struct semantic_table *table, struct pending_row *row, int *wanted,
                  struct error *err);

/* After that: writes the words of row->text, or kills what the row has. */
int wording_write(struct semantic_table *table, const struct pending_row *row, struct error *err);

/* What a flush has to do for a row, found after what becomes of it was. */
struct wording_fix {
    int64_t id;
    struct span text; /* borrowed from a row that waits; data NULL: it is not at hand */
    int stays;        /* it has a vector when all is written */
    const struct pending_row
        *written; /* by which it gets that, unless it is refused; NULL: had it */
};

/* Of the rows of one id that wait, in the order in which they were noted: the last that says what
 * words there are; NULL: none does. */
const struct pending_row *wording_last(struct pending_row *const *rows, size_t n_rows);

/* The same rows, that one, and the one that will be written (NULL: none is) against each other.
 * *needed = 0: all is well. */
int wording_compare(struct semantic_table *table, struct pending_row *const *rows, size_t n_rows,
                    const struct pending_row *last, const struct pending_row *written,
                    struct wording_fix *fix, int *needed, struct error *err);

/* Within a write: does it; in xSync as far as that goes. */
int wording_mend(struct semantic_table *table, const struct wording_fix *fixes, size_t n_fixes,
                 int in_sync, struct error *err);

/* Before a write of a sync: words_prepare(). One that clears all words need not read them. */
int wording_prepare(struct semantic_table *table, int clears, struct error *err);

/* Within a write of a sync: the words of all rows of a batch that get a vector. */
int wording_store(struct semantic_table *table, const struct store_change *changes,
                  size_t n_changes, struct error *err);

/* *due: a sync has words to write that were put off, n_wordless of them, or all words anew, as more
 * than a quarter of all documents are dead. */
int wording_is_due(struct semantic_table *table, int64_t n_wordless, int *due, struct error *err);

/* Within a write, at the end of a sync: does that. */
int wording_tidy(struct semantic_table *table, struct error *err);

/* ERROR_CORRUPT if X_fts does not say of the texts what it should: FTS5's own check, and
 * store/words_proof.h. Reads all texts; it is a statement that writes. */
int wording_check(struct semantic_table *table, struct error *err);

/* Within a write, of 'optimize': X_fts anew from all texts if anything in it is dead or wrong, as
 * far as can be told, else joined. */
int wording_optimize(struct semantic_table *table, struct error *err);

#endif
