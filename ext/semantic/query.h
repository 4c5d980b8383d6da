/*
 * query.h: what is asked of an index: a text, which the index's model embeds, or a vector.
 */
#ifndef SEMANTIC_QUERY_H
#define SEMANTIC_QUERY_H

#include "semantic/table.h"
#include "sqlite/argument.h"

/* With neither text nor vector it has no rows. */
struct semantic_query {
    struct span text; /* borrowed; {NULL, 0}: none */
    /* Of a text: once it is searched for, until the next search; none if the model sees no sense in
     * it. */
    struct argument_vector vector;
    char *owned; /* the text, where it is not the value's */
    /* Of a text: how words and vectors are fused; the table's own at first. */
    enum fusion_kind fusion;
    double weight; /* of the vectors; 1: they rank alone, and always where there are no words */
    double known; /* the share of the text's words that the model has learnt, once it is embedded */
    /* In an index with words: what the text says less what it excludes, which is embedded and
     * reranked, where it is another text; whether some must match or must not (text/asked.h). */
    struct buffer meant; /* empty: the text */
    int restricts;
};

/* What its vector is made of, and the reranker reads. */
struct span semantic_query_meant(const struct semantic_query *query);

/* Whether words count in its ranking; whether it needs a vector. */
int semantic_query_is_fused(const struct semantic_query *query);
int semantic_query_is_embedded(const struct semantic_query *query);

/* A query as SQL has it: NULL, a BLOB that is a vector, or a text (argument_query), which is a
 * vector too if it is a JSON array of as many numbers as the index has dimensions. It borrows from
 * the value. ERROR_INVALID: a BLOB that is no vector, or the bytes of one that came as a text. */
int semantic_query_read(struct semantic_query *query, struct semantic_table *table,
                        sqlite3_value *value, struct error *err);
void semantic_query_deinit(struct semantic_query *query);

#endif
