#include "semantic/view.h"

#include "base/memory.h"
#include "semantic/module.h"
#include "store/store.h"
#include "semantic/update.h"
#include "sqlite/table_function.h"

static int pin(struct connection *connection, sqlite3_value *name, sqlite3_value *schema,
               struct semantic_view *view, struct error *err)
{
    const char *name_text, *schema_text;
    char *found_schema = NULL, *found_name = NULL;
    int rc = table_function_text(name, &name_text, err);
    if (rc == 0 && name_text == NULL)
        rc = error_set(err, ERROR_INVALID, "expected the name of an index");
    if (rc == 0) rc = table_function_text(schema, &schema_text, err);
    if (rc == 0)
        rc = semantic_module_resolve(connection->indexes, name_text, schema_text, &found_schema,
                                     &found_name, err);
    if (rc == 0)
        rc = semantic_module_pin(connection->indexes, found_schema, found_name, &view->pin,
                                 &view->table, err);
    memory_free(found_schema);
    memory_free(found_name);
    return rc;
}

int view_open(struct connection *connection, sqlite3_value *name, sqlite3_value *schema,
              struct semantic_view *view, struct error *err)
{
    *view = (struct semantic_view){0};
    int rc = pin(connection, name, schema, view, err);
    if (rc == 0) rc = semantic_flush(view->table, err);
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
