/*
 * functions.h: what extension.c registers, a file a function family or virtual table. Each returns
 * a SQLite result code.
 */
#ifndef FUNCTIONS_FUNCTIONS_H
#define FUNCTIONS_FUNCTIONS_H

#include "sqlite/connection.h"

int vector_functions_register(struct connection *connection); /* vector_functions.c */
int barcode_register(struct connection *connection);          /* barcode.c: vector_barcode() */
int rank_chart_register(struct connection *connection);       /* rank_chart.c */
int embed_register(struct connection *connection);            /* embed.c: embed(), embed_each */
int tokens_register(struct connection *connection);     /* tokens.c: token_count(), token_ids() */
int chunk_each_register(struct connection *connection); /* chunk_each.c */
int rerank_register(struct connection *connection);     /* rerank.c: rerank(), rerank */
int models_register(struct connection *connection);     /* models.c: rerank_models, rerank_stats */
int settings_register(struct connection *connection);   /* settings.c: rerank_config() */

#endif
