/*
 * plan.h: xBestIndex, and what it tells xFilter.
 */
#ifndef SEMANTIC_PLAN_H
#define SEMANTIC_PLAN_H

#include "semantic/table.h"

/* idxNum: which arguments xFilter gets, in this order, and what the statement wants. The conditions
 * of a search, which idxStr lists, come after these. */
enum semantic_plan_flag {
    PLAN_QUERY = 1,       /* the query: a search. Without it: a listing */
    PLAN_K = 2,           /* k */
    PLAN_K_AT_MOST = 4,   /* with PLAN_K: it is that or less */
    PLAN_K_LESS = 8,      /* with PLAN_K: it is less */
    PLAN_LIMIT = 16,      /* LIMIT, as a hint of how many rows will be read */
    PLAN_OFFSET = 32,     /* with PLAN_LIMIT: and how many of them are passed over */
    PLAN_ROWID = 64,      /* rowid = x (listing) */
    PLAN_KEY = 128,       /* with PLAN_ROWID: by the key of a keyed index instead */
    PLAN_RELEVANCE = 256, /* the statement reads relevance */
    PLAN_BY_RELEVANCE =
        512, /* rows in order of relevance, else of similarity (listing: of rowid) */
    PLAN_READS_VECTOR = 1024,  /* the statement reads embedding */
    PLAN_READS_CONTENT = 2048, /* the statement reads content columns */
    PLAN_NAMES_ALL = 4096,     /* the statement reads every hidden column (listing) */
    PLAN_FUSION = 8192,        /* fusion, of an index with words */
    PLAN_WEIGHT = 16384        /* weight, likewise */
};

/* A condition of a search that counts before the k are taken, one line of idxStr, and one argument.
 */
struct plan_condition {
    int op;         /* SQLITE_INDEX_CONSTRAINT_... */
    int column;     /* -1: the rowid */
    int is_list;    /* IN (...), all members at once */
    int is_literal; /* the other side is a literal */
    char collation[64];
};

/* Reads the condition that *at points to and moves on; 0 when there is none. */
int plan_next_condition(const char **at, struct plan_condition *condition);

int semantic_best_index(sqlite3_vtab *base, sqlite3_index_info *info);

#endif
