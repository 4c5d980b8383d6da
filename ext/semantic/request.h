/*
 * request.h: what a search by the virtual table was asked for: the arguments of xFilter.
 */
#ifndef SEMANTIC_REQUEST_H
#define SEMANTIC_REQUEST_H

#include "semantic/retrieve.h"

struct semantic_request {
    sqlite3_value *query;        /* as given, to read back; owned */
    size_t k;                    /* the k, to read back; 0: none was given */
    struct semantic_query asked; /* the query, read; it borrows from `query` */
    struct retrieve_limits limits;
    struct index_ring ring;
    struct retrieve_bounds bounds; /* limits.bounds, if there are any */
    enum fusion_kind fusion;       /* as asked for, or the table's */
    double weight;
    int64_t first_rank, last_rank;
    struct ids ids;       /* limits.only */
    struct filter filter; /* limits.filter, if there are conditions on the content */
    size_t n_reachable; /* rows that LIMIT and OFFSET reach when relevance is read; 0: not known */
    int none;           /* nothing can qualify */
};

/* Reads the arguments of a plan with PLAN_QUERY, in the order of its flags, and the conditions
 * (plan.h). A request that was read before is forgotten. request_deinit also after an error. */
int request_read(struct semantic_request *request, struct semantic_table *table, int plan,
                 const char *conditions, sqlite3_value **argv, struct error *err);

/* Without k as many rows are reranked as the option candidates says, or as LIMIT and OFFSET reach
 * among n_rows of the index, if those are not too many: ERROR_INVALID, with the cure. */
int request_reach(struct semantic_request *request, size_t n_rows, struct error *err);

void request_clear(struct semantic_request *request); /* all but what asks the content again */
void request_deinit(struct semantic_request *request);

#endif
