/*
 * latent.h: latent semantic analysis of a collection.
 *
 * Method. Terms (features.h) get the weight (1 + ln count) * idf, n-grams a part of it; documents
 * have unit length (Salton, Buckley 1988). The matrix of documents by terms is cut to its strongest
 * directions (Deerwester et al., "Indexing by latent semantic analysis", JASIS 41, 1990) by a
 * randomised singular value decomposition: a random test matrix, two power iterations, orthonormal
 * bases by Cholesky factors, and the eigenvectors of a small symmetric matrix (Halko, Martinsson,
 * Tropp, "Finding structure with randomness", SIAM Review 53, 2011, algorithms 4.4 and 5.1). Every
 * text, seen in the fit or not, document or query, is folded in the same way: its weighted terms
 * times the term vectors.
 *
 * An embedding is two parts side by side, each of unit length before it is weighed:
 *   sqrt(1 - w) * the latent part    what the text is about
 *   sqrt(w)     * the lexical part   which words it uses: the weighted terms, hashed with signs
 * (hashing.h) so that a cosine is (1 - w) * latent + w * lexical similarity. w is larger the
 * shorter the documents: a title alone has too few words for a subject, and there the words
 * themselves are the evidence.
 *
 * Bounds: the fit reads at most LATENT_SAMPLE documents, spread evenly over the collection, of each
 * the first LATENT_CELLS / (documents read) terms, and keeps at most LATENT_TERMS terms, those in
 * most documents. A term vector is stored as int8 with one scale: 16 bytes a term, and one for each
 * dimension of the latent part.
 *
 * The same collection gives the same model on the same machine; sums may differ in their last bits
 * elsewhere, which is why the bytes are stored.
 */
#ifndef LEXICAL_LATENT_H
#define LEXICAL_LATENT_H

#include "lexical/features.h"
#include "lexical/statistics.h"
#include "model/model.h"

/* What a compound weighs, if the fit does not know it as a word, of what an unknown word does. The
 * fit counts only the words of the texts themselves, not what stands beside them. */
#define LATENT_WHOLE_WEIGHT 0.25

#define LATENT_SAMPLE 20000
#define LATENT_CELLS ((uint64_t)1 << 26)
#define LATENT_TERMS 24576
#define LATENT_DIMENSIONS 192 /* of the latent part, at most */
#define LATENT_HASHED 512     /* dimensions of the lexical part */

struct latent;

/* By the rules of now; a model that was stored keeps those that it was fitted by. */
int latent_fit(const struct model_collection *collection, struct latent **latent,
               struct error *err);
void latent_free(struct latent *latent); /* accepts NULL */

/* To bytes and back: little-endian; the header is in latent_store.c. ERROR_CORRUPT for bytes that
 * are not a whole model. */
int latent_save(const struct latent *latent, struct buffer *bytes, struct error *err);
int latent_load(struct span bytes, struct latent **latent, struct error *err);

/* The rules of words that texts are to be split by. */
enum words_rules latent_rules(const struct latent *latent);

/* Dimensions of an embedding: both parts. */
size_t latent_dimensions(const struct latent *latent);

/* Lives as long as the model. */
const struct lexical_statistics *latent_statistics(const struct latent *latent);

/* Whether a term of the text, a word or an n-gram, was kept by the fit. */
int latent_knows(const struct latent *latent, const struct features *features);

/* Folds a text in: embedding [latent_dimensions], unit length. ERROR_INTERRUPTED. */
int latent_embed(const struct latent *latent, const struct features *features, float *embedding,
                 struct error *err);

#endif
