#include "store/figures.h"

/* Lengths of BLOBs are in the heads of their rows: nothing of them is read. */
static const char *const figure_sql[STORE_N_FIGURES] = {
    [STORE_VECTOR_BYTES] = "SELECT sum(length(vector)) FROM \"%w\".\"%w_vectors\"",
    [STORE_CODE_BYTES] = "SELECT sum(length(bytes)) FROM \"%w\".\"%w_data\"",
    [STORE_TEXT_BYTES] = "SELECT sum(length(CAST(text AS BLOB))) FROM \"%w\".\"%w_text\"",
    [STORE_MODEL_BYTES] = "SELECT sum(length(bytes)) FROM \"%w\".\"%w_model\"",
    [STORE_N_FAILED] = "SELECT count(*) FROM \"%w\".\"%w_failures\"",
    [STORE_FITTED_ON] = "SELECT value FROM \"%w\".\"%w_config\" WHERE key = 'fitted_on'",
};

static int is_kept(struct store *store, enum store_figure which, int *kept, struct error *err)
{
    struct store_state state;
    *kept = 1;
    if (which == STORE_TEXT_BYTES) *kept = store->options.keeps_texts;
    if (which == STORE_CODE_BYTES) *kept = store_keeps_vectors(store);
    if (which != STORE_N_FAILED) return 0;
    /* Indexes made by earlier versions have no table of failures until they need it. */
    int rc = store_read_state(store, &state, err);
    *kept = state.keeps_failures;
    return rc;
}

int store_figure(struct store *store, enum store_figure which, int64_t *figure, struct error *err)
{
    sqlite3_stmt *statement;
    int kept, row = 0;
    *figure = 0;
    int rc = is_kept(store, which, &kept, err);
    if (rc != 0 || !kept) return rc;
    /* Without codes the blocks are the vectors. */
    if (which == STORE_VECTOR_BYTES && !store_keeps_vectors(store)) which = STORE_CODE_BYTES;
    rc = statement_prepare(store->db, &statement, err, figure_sql[which], store->schema,
                           store->name);
    if (rc == 0) rc = statement_step(store->db, statement, &row, err);
    if (rc == 0 && row) *figure = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return rc;
}
