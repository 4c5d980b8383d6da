/*
 * lexical.h: builtin:lexical, the model that is always there: no download, no key, no network; and
 * builtin:lsa, which embeds as it does, and says of itself that it is to be fitted again.
 *
 * It embeds and reranks from the words alone:
 *   hashing.h   stateless embeddings, for a bare embed(text): signed feature hashing of stems and
 *               character n-grams
 *   latent.h    fitted embeddings, inside a semantic_index: latent semantic analysis of its own
 *               content, with the lexical evidence mixed in
 *   rerank.h    the reranker: BM25, coverage, proximity, fuzzy matches, and the similarity of
 *               retrieval
 *   fused_rerank.h  the reranker of rows that words and vectors found together
 * Methods and papers are named there. Stop words and stems are English's; how texts of all scripts
 * are split is in text/words.h.
 */
#ifndef LEXICAL_LEXICAL_H
#define LEXICAL_LEXICAL_H

#include "model/model.h"

/* Dimensions of a stateless embedding. */
#define LEXICAL_DIMENSIONS 1024

/* The stateless model. model_free releases it. ERROR_NOMEM. */
int lexical_new(struct model **model, struct error *err);

/* The same by the name of builtin:lsa: it, and what it is fitted to, refits. */
int lexical_new_lsa(struct model **model, struct error *err);

#endif
