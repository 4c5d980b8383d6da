/*
 * plan.h: xBestIndex, and what it tells xFilter.
 */
#ifndef SEMANTIC_PLAN_H
#define SEMANTIC_PLAN_H

#include "semantic/table.h"

/* idxNum: which arguments xFilter gets, in this order, and what the statement wants. */
enum semantic_plan_flag {
    PLAN_QUERY = 1,            /* the query: a search. Without it: a listing */
    PLAN_K = 2,                /* k */
    PLAN_SIMILARITY = 4,       /* similarity >= x */
    PLAN_SIMILARITY_ABOVE = 8, /* with PLAN_SIMILARITY: > x */
    PLAN_ROWIDS = 16,          /* rowid IN (...), all members at once; one or more such lists */
    PLAN_ROWID = 32,           /* rowid = x (listing) */
    PLAN_RELEVANCE = 64,       /* the statement reads relevance */
    PLAN_BY_RELEVANCE =
        128, /* rows in order of relevance, else of similarity (listing: of rowid) */
    PLAN_READS_VECTOR = 256,   /* the statement reads embedding */
    PLAN_LIMIT = 512,          /* LIMIT, as a hint of how many rows will be read */
    PLAN_OFFSET = 1024,        /* with PLAN_LIMIT: and how many of them are passed over */
    PLAN_READS_CONTENT = 2048, /* the statement reads content columns */
    PLAN_KEY = 4096            /* with PLAN_ROWID: by the key of a keyed index instead */
};

/* How many lists rowid IN (...) there are, each an argument: from this bit of idxNum on. */
#define PLAN_LISTS_SHIFT 16
#define PLAN_LISTS_MASK 15

/* Which of them are key IN (...) of a keyed index: a bit each, from this one on. */
#define PLAN_KEY_LISTS_SHIFT 20

int semantic_best_index(sqlite3_vtab *base, sqlite3_index_info *info);

#endif
