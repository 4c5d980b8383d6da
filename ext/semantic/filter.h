/*
 * filter.h: conditions of a search on the content: which rows it may find.
 *
 * They are SQL over the content table, with the values bound, so that they mean what they mean
 * there and its indexes serve them. Either a group of ids is asked for, those that a ranking begins
 * with, or all that meet the conditions are listed. Without conditions a row passes that the
 * content has. What was found out is kept for other searches (known.h).
 */
#ifndef SEMANTIC_FILTER_H
#define SEMANTIC_FILTER_H

#include "base/buffer.h"
#include "semantic/known.h"
#include "semantic/plan.h"
#include "semantic/table.h"

/* How many ids are asked for at once. */
#define FILTER_GROUP 32

struct filter {
    struct semantic_table *table;
    struct buffer where;    /* " AND ...", behind which the values are once it is whole */
    sqlite3_value **values; /* [n_values] its parameters; owned */
    size_t n_values, n_capacity;
    int n_conditions;
    int is_cut;        /* of the rows that meet them only the nearest k are wanted */
    int has_functions; /* some are LIKE, GLOB, REGEXP, or by an application's collation */
    int excludes_null; /* one is a comparison of a column, which no NULL meets */
    int is_whole;      /* no more conditions come */
};

/* Forgets the conditions: of a zeroed filter, too. */
void filter_begin(struct filter *filter, struct semantic_table *table);
void filter_deinit(struct filter *filter);

/* Adds a condition on a content column or the rowid; the value is copied. ERROR_INVALID for a list
 * that is too long. */
int filter_add(struct filter *filter, const struct plan_condition *condition, sqlite3_value *value,
               struct error *err);

/* pass[i] = 1 for those of n ids, at most FILTER_GROUP, that meet the conditions. */
int filter_pass(struct filter *filter, const int64_t *ids, size_t n, unsigned char *pass,
                struct error *err);

/* A share of the rows that most likely meets the conditions, by some that lie evenly between the
 * first and the last; 0: it is small. */
int filter_estimate(struct filter *filter, double *share, struct error *err);

/* Whether an index of the content finds the rows that meet the conditions. */
int filter_is_served(struct filter *filter, int *served, struct error *err);

/* All rows that meet them, a reference; NULL: they are more than `most`. */
int filter_list(struct filter *filter, size_t most, struct passing **passing, struct error *err);

/* The same where they are known, or to be listed now for the searches to come; NULL: they are not.
 * Of an index of n_rows. */
int filter_recall(struct filter *filter, size_t n_rows, struct passing **passing,
                  struct error *err);

#endif
