/*
 * comparison.h: what a sync has to do, found by one pass over index and content in the order of
 * their ids; or remembered, as nothing (agreement.h).
 */
#ifndef SEMANTIC_COMPARISON_H
#define SEMANTIC_COMPARISON_H

#include "base/ids.h"
#include "semantic/agreement.h"
#include "semantic/content_keys.h"

enum sync_kind {
    SYNC_CHANGES,  /* what is new, changed or gone */
    SYNC_RETRY,    /* and all rows that failed */
    SYNC_REBUILD,  /* all, but for vectors of the user's */
    SYNC_AS_FITTED /* as SYNC_CHANGES, by the fit that is there, if there is one */
};

struct comparison {
    struct ids ids;               /* to embed */
    struct content_keys keys;     /* of a keyed index: those of ids that it does not know yet */
    struct ids gone;              /* to delete */
    struct ids settled;           /* rows that failed and are gone, or have no text any more */
    int64_t n_total, n_readable;  /* content rows that have a text; that can be read */
    size_t n_known_failures;      /* rows that failed before and are not tried */
    int64_t n_unusable;           /* rows that have no usable key */
    size_t n_wordless;            /* rows that are as they were, but for words that were put off */
    struct agreement_watch watch; /* of the file, when it was compared */
};

/* Fills *found, zeroed or of an earlier comparison. SYNC_REBUILD: all but the user's own vectors
 * are embedded again. deinit also after an error. */
int comparison_make(struct semantic_table *table, enum sync_kind kind, struct comparison *found,
                    struct error *err);
void comparison_deinit(struct comparison *found);

/* All that was found is done, by so many commits: the next comparison finds nothing but these. */
void comparison_keep(struct semantic_table *table, const struct comparison *found, size_t n_commits,
                     size_t n_failures, size_t n_wordless);

#endif
