/*
 * static.h: static vectors as a kind of model (Model2Vec: Tulkens and van Dongen 2024): a text is
 * the mean of its tokens' vectors, which no other token changes.
 *
 * Tokens that the vocabulary does not know are left out, and so are [CLS] and [SEP]. A text without
 * a token is all zero. Vectors are a matrix [vocabulary, dimensions], "embeddings" as Model2Vec
 * stores it or "embedding.weight" as sentence-transformers' StaticEmbedding does, and perhaps
 * "weights" [vocabulary], what each is multiplied by. float32 whatever the precision.
 */
#ifndef LOCAL_STATIC_H
#define LOCAL_STATIC_H

#include "local/instance.h"

extern const struct local_methods local_static_methods;

#endif
