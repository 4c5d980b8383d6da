/*
 * static.h: static vectors as a kind of model (Model2Vec: Tulkens and van Dongen 2024): a text is
 * the mean of its tokens' vectors, which no other token changes.
 *
 * There are no [CLS] and [SEP]; tokens that the vocabulary does not know are left out (but for a
 * StaticEmbedding of sentence-transformers, where they count as one token more). A text without a
 * token is all zero. Tensors:
 *   embeddings   [rows, dimensions], as Model2Vec stores it, or embedding.weight, as
 *                sentence-transformers does. Of int8 the codes count as they are: Model2Vec keeps
 *                no scale, as one for all changes no direction
 *   mapping      [tokens] the row of each token (int32 or int64), for tokens that share one;
 *                without it token i has row i
 *   weights      [tokens] or [tokens, 1], what each token's vector is multiplied by; or none
 * float32 whatever the precision.
 */
#ifndef LOCAL_STATIC_H
#define LOCAL_STATIC_H

#include "local/instance.h"

extern const struct local_methods local_static_methods;

#endif
