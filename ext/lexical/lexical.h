#ifndef LEXICAL_LEXICAL_H
#define LEXICAL_LEXICAL_H
#include "model/model.h"
/* The stateless model `builtin:lexical`: embeds, reranks and is fittable. A new model; model_free releases it. */
int lexical_new(struct model **model, struct error *err);
#endif
