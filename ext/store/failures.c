#include "store/failures.h"

#include "store/schema.h"
#include "store/statements.h"

int failures_count(struct store *store, const struct store_state *state, int64_t *n,
                   struct error *err)
{
    *n = 0;
    return state->keeps_failures ? store_ask(store, STORE_N_FAILURES, 0, 0, n, err) : 0;
}

int failures_look(struct store *store, struct store_state *state, struct error *err)
{
    int64_t any = 0;
    if (state->lacks_failures) return 0;
    int rc = state->keeps_failures ? store_ask(store, STORE_ANY_FAILURE, 0, 0, &any, err) : 0;
    state->lacks_failures = rc == 0 && !any;
    return rc;
}

int failures_find(struct store *store, const struct store_state *state, int64_t id, uint64_t *hash,
                  int *found, struct error *err)
{
    sqlite3_stmt *statement;
    *hash = 0;
    *found = 0;
    if (!state->keeps_failures || state->lacks_failures) return 0;
    int rc = store_look_up(store, KEPT_GET_FAILURE, id, &statement, found, err);
    if (rc != 0 || !*found) return rc;
    *hash = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return 0;
}

static int record(struct store *store, struct store_state *state, const struct store_change *change,
                  struct error *err)
{
    sqlite3_stmt *statement;
    int rc = state->keeps_failures ? 0 : schema_create_failures(store, err);
    if (rc != 0) return rc;
    state->keeps_failures = 1;
    state->lacks_failures = 0;
    rc = store_keep(store, KEPT_PUT_FAILURE, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, change->id);
    sqlite3_bind_int64(statement, 2, (int64_t)change->hash);
    sqlite3_bind_text(statement, 3, change->why, -1, SQLITE_STATIC);
    return store_run(store, statement, err);
}

int failures_write(struct store *store, struct store_state *state,
                   const struct store_change *changes, size_t n_changes, struct error *err)
{
    int rc = failures_look(store, state, err);
    int any = !state->lacks_failures;
    for (size_t i = 0; rc == 0 && i < n_changes; i++) {
        if (changes[i].kind == STORE_REFUSE && changes[i].why != NULL)
            rc = record(store, state, &changes[i], err);
        else if (any) rc = store_run_with(store, KEPT_DELETE_FAILURE, changes[i].id, err);
    }
    return rc;
}

int failures_clear(struct store *store, const struct store_state *state, struct error *err)
{
    return state->keeps_failures ? store_execute(store, "DELETE FROM " X_FAILURES, err) : 0;
}
