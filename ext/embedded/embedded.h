/*
 * embedded.h: builtin:static, a static model whose table is inside the library: no download, no
 * fit, no network.
 *
 * A text is the sum of the rows of its pieces (pieces.h), signs and a scale each (table.h), and of
 * its unknown words (unknown.h), made a unit vector: Model2Vec's idea (Tulkens and van Dongen 2024)
 * with rows trained to point where a sentence embedder points, one bit a component.
 * Sums are of whole numbers, and the last division of doubles: a text has the same bytes on every
 * machine, in every batch. Query and document are the same. No text has the zero vector.
 */
#ifndef EMBEDDED_EMBEDDED_H
#define EMBEDDED_EMBEDDED_H

#include "model/model.h"

/* model_free releases it. ERROR_NOMEM. */
int embedded_new(struct model **model, struct error *err);

/* Lets calls compute with so many threads, read at each call; borrowed. Else it is one. */
void embedded_use_threads(struct model *model, const size_t *n_threads);

#endif
