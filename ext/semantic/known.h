/*
 * known.h: what searches have found out of conditions on the content, kept with the table for the
 * next ones that have the same.
 *
 *   - The statement that asks for rows, prepared, and whether an index of the content serves it.
 *   - How many rows meet them, about. That only says what is tried first, and outlives writes.
 *   - Which rows meet them, all of them, once so many were asked about, one by one, that listing
 *     would have cost no more. So all searches together take at most twice what the better of the
 *     two ways would, and those that come later find the answer ready.
 *
 * A list is used while nothing can have changed, by what agreement.h trusts, and only of
 * comparisons: LIKE, GLOB, REGEXP and collations but SQLite's are functions, which an application
 * can replace. It is kept when the same conditions come again without a write between: what is
 * asked once is not worth it.
 */
#ifndef SEMANTIC_KNOWN_H
#define SEMANTIC_KNOWN_H

#include "base/ids.h"
#include "semantic/table.h"

/* The rows that meet conditions. */
struct passing {
    int references;
    struct ids ids; /* ascending, each once; items is not NULL */
    struct ids_bits bits;
};

/* One reference. Takes the ids over, also after an error: ERROR_NOMEM. */
int passing_new(struct ids *ids, struct passing **passing, struct error *err);
struct passing *passing_share(struct passing *passing);
void passing_release(struct passing *passing); /* accepts NULL */

struct known {
    char *conditions; /* [size] SQL, a NUL, the values; owned */
    size_t size;
    sqlite3_stmt *group; /* see filter_pass; with these values; NULL: not prepared, or in use */
    int64_t schema_version;
    int is_served;            /* an index of the content finds them, then; -1: not known yet */
    size_t n_asked, n_passed; /* rows lately, and how many of them met the conditions */
    size_t more_than;         /* rows met them when they were listed last */
    /* Of the file as it is: */
    int is_current; /* it is as `version` says, and nothing is written */
    uint32_t version;
    size_t n_searches, spent; /* that asked; rows that they asked about */
    struct passing *passing;  /* a reference; NULL: they are not listed */
};

/* What is known of conditions, after a read of the file, and of no use beyond the next call. */
int known_find(struct semantic_table *table, const char *conditions, size_t size,
               struct known **known, struct error *err);

/* The statement of conditions of the same SQL with other values, taken away from there; or NULL. */
sqlite3_stmt *known_take_statement(struct semantic_table *table, const struct known *known);

/* Rows were asked about. */
void known_note(struct known *known, size_t n_asked, size_t n_passed);

/* Whether a list of the rows may be kept: it has been asked for before, and is certain to hold. */
int known_may_keep(struct semantic_table *table, const struct known *known, int *may,
                   struct error *err);

/* Keeps a list, if there is room. */
void known_keep(struct semantic_table *table, struct known *known, struct passing *passing);

void known_forget(struct semantic_table *table); /* all */

#endif
