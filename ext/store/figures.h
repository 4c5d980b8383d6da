/*
 * figures.h: numbers about the shadow tables that neither a search nor a write asks for.
 */
#ifndef STORE_FIGURES_H
#define STORE_FIGURES_H

#include "store/store.h"

/* Bytes are those of the contents. What SQLite adds for them in the file (heads of pages and rows,
 * the rest of a page) is some percent: only the table dbstat would tell it, which most builds lack
 * and which reads every page. */
enum store_figure {
    STORE_VECTOR_BYTES,
    STORE_CODE_BYTES, /* with quantize: all that blocks hold */
    STORE_TEXT_BYTES,
    STORE_MODEL_BYTES, /* of the fitted one */
    STORE_N_FAILED,    /* rows that could not be embedded */
    STORE_FITTED_ON,   /* rows that the model was fitted on; 0: not known, or none */
    STORE_N_FIGURES
};

/* 0 for what the index does not keep. */
int store_figure(struct store *store, enum store_figure which, int64_t *figure, struct error *err);

#endif
