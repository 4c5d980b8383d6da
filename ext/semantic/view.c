#include "semantic/view.h"

#include "store/store.h"
#include "semantic/flush.h"

int view_open(struct semantic_registry *registry, sqlite3_value *name, sqlite3_value *schema,
              struct semantic_view *view, struct error *err)
{
    *view = (struct semantic_view){0};
    int rc = registry_open(registry, name, schema, &view->pin, &view->table, err);
    if (rc == 0) rc = flush_pending(view->table, err);
    if (rc == 0) rc = store_read_state(&view->table->store, &view->state, err);
    if (rc == 0) {
        reader_open(&view->table->store, &view->reader, &view->storage);
        rc = reader_begin(&view->reader, &view->state, err);
    }
    if (rc != 0) view_close(view);
    return rc;
}

void view_close(struct semantic_view *view)
{
    reader_close(&view->reader);
    sqlite3_finalize(view->pin);
    *view = (struct semantic_view){0};
}
