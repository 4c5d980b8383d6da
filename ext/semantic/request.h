/*
 * request.h: what a search by the virtual table was asked for: the arguments of xFilter.
 */
#ifndef SEMANTIC_REQUEST_H
#define SEMANTIC_REQUEST_H

#include "semantic/retrieve.h"

struct semantic_request {
    sqlite3_value *query, *k;    /* as given, to read back; owned; k is NULL if it was not given */
    struct retrieve_query asked; /* the query, read; it borrows from `query` */
    struct retrieve_limits limits;
    int64_t *ids; /* limits.only; owned */
    int none;     /* nothing can qualify */
};

/* Reads the arguments of a plan with PLAN_QUERY, in the order of its flags (plan.h). request_deinit
 * also after an error. */
int request_read(struct semantic_request *request, struct semantic_table *table, int plan,
                 sqlite3_value **argv, struct error *err);
void request_deinit(struct semantic_request *request);

#endif
