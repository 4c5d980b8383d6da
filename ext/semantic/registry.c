#include "semantic/registry.h"

#include <string.h>

#include "base/memory.h"
#include "semantic/progress.h"
#include "sqlite/argument.h"
#include "sqlite/statement.h"

int registry_new(struct connection *connection, struct semantic_registry **registry,
                 struct error *err)
{
    *registry = memory_zalloc(1, sizeof **registry);
    if (*registry == NULL) return error_nomem(err);
    (*registry)->references = 1;
    (*registry)->connection = connection_reference(connection);
    return 0;
}

void registry_release(void *data)
{
    struct semantic_registry *registry = data;
    if (registry == NULL || --registry->references > 0) return;
    struct connection *connection = registry->connection;
    progress_forget(connection);
    memory_free(registry);
    connection_release(connection);
}

void registry_add(struct semantic_registry *registry, struct semantic_table *table)
{
    table->next = registry->tables;
    table->previous = &registry->tables;
    if (table->next != NULL) table->next->previous = &table->next;
    registry->tables = table;
    registry->references++;
}

struct semantic_registry *registry_remove(struct semantic_table *table)
{
    if (table->previous == NULL) return NULL;
    *table->previous = table->next;
    if (table->next != NULL) table->next->previous = table->previous;
    return table->registry;
}

/* The semantic_index that had that name in that schema when it was connected, the latest; else
 * NULL. Some may be left from before the schema changed: to find what the name means now, connect
 * it first. */
static struct semantic_table *find(const struct semantic_registry *registry, const char *schema,
                                   const char *name)
{
    for (struct semantic_table *table = registry->tables; table != NULL; table = table->next)
        if (sqlite3_stricmp(table->store.schema, schema) == 0 &&
            sqlite3_stricmp(table->store.name, name) == 0)
            return table;
    return NULL;
}

struct semantic_table *registry_find_twin(const struct semantic_table *table)
{
    const struct store *store = &table->store;
    for (struct semantic_table *twin = table->registry->tables; twin != NULL; twin = twin->next)
        if (twin != table && twin->broken.code == 0 && twin->store.created == store->created &&
            sqlite3_stricmp(twin->store.schema, store->schema) == 0 &&
            (store->created != 0 || sqlite3_stricmp(twin->store.name, store->name) == 0))
            return twin;
    return NULL;
}

int registry_check_content(const struct semantic_table *table, struct error *err)
{
    const struct store *store = &table->store;
    for (struct semantic_table *twin = table->registry->tables; twin != NULL; twin = twin->next)
        if (twin->reading_content > 0 && sqlite3_stricmp(twin->store.schema, store->schema) == 0 &&
            sqlite3_stricmp(twin->store.name, store->name) == 0)
            return error_set(err, ERROR_INVALID, "its content %s reads the index itself",
                             table->config.content);
    return 0;
}

void registry_disown_others(const struct semantic_table *table)
{
    const struct store *store = &table->store;
    for (struct semantic_table *other = table->registry->tables; other != NULL; other = other->next)
        if (other != table && other->store.created == store->created &&
            sqlite3_stricmp(other->store.schema, store->schema) == 0)
            other->store.created = STORE_NO_INDEX;
}

/* Which table is meant: the name in the schema given, or (NULL) in the first schema that has it.
 * What is found is owned by the caller, also after an error. */
static int resolve(struct semantic_registry *registry, const char *name, const char *schema,
                   char **found_schema, char **found_name, struct error *err)
{
    sqlite3 *db = registry->connection->db;
    sqlite3_stmt *statement;
    int row = 0;
    int rc = statement_prepare(db, &statement, err,
                               "SELECT t.schema, t.name FROM pragma_table_list AS t JOIN "
                               "pragma_database_list AS d ON d.name = t.schema "
                               "WHERE t.type = 'virtual' AND t.name = %Q COLLATE nocase AND "
                               "(%Q IS NULL OR t.schema = %Q COLLATE nocase) "
                               "ORDER BY d.seq <> 1, d.seq LIMIT 1",
                               name, schema, schema);
    if (rc == 0) rc = statement_step(db, statement, &row, err);
    if (rc == 0 && row) {
        *found_schema = memory_copy((const char *)sqlite3_column_text(statement, 0),
                                    (size_t)sqlite3_column_bytes(statement, 0));
        *found_name = memory_copy((const char *)sqlite3_column_text(statement, 1),
                                  (size_t)sqlite3_column_bytes(statement, 1));
        if (*found_schema == NULL || *found_name == NULL) rc = error_nomem(err);
    } else if (rc == 0) {
        rc = error_set(err, ERROR_INVALID, "no semantic_index is called %.100s", name);
    }
    sqlite3_finalize(statement);
    return rc;
}

int registry_pin(struct semantic_registry *registry, const char *schema, const char *name,
                 sqlite3_stmt **pin, struct semantic_table **index, struct error *err)
{
    int rc = statement_prepare(registry->connection->db, pin, err, "SELECT 1 FROM \"%w\".\"%w\"",
                               schema, name);
    if (rc != 0) return rc;
    *index = find(registry, schema, name);
    if (*index == NULL) return error_set(err, ERROR_INVALID, "%s is not a semantic_index", name);
    if ((*index)->broken.code != 0) {
        *err = (*index)->broken;
        return err->code;
    }
    return 0;
}

int registry_open(struct semantic_registry *registry, sqlite3_value *name, sqlite3_value *schema,
                  sqlite3_stmt **pin, struct semantic_table **index, struct error *err)
{
    struct span name_text;
    const char *schema_text;
    char *found_schema = NULL, *found_name = NULL;
    int rc = argument_text(name, &name_text, err);
    if (rc == 0) rc = argument_optional_text(schema, &schema_text, err);
    if (rc == 0)
        rc = resolve(registry, name_text.data, schema_text, &found_schema, &found_name, err);
    if (rc == 0) rc = registry_pin(registry, found_schema, found_name, pin, index, err);
    if (rc == 0) rc = registry_check_content(*index, err);
    memory_free(found_schema);
    memory_free(found_name);
    return rc;
}

int registry_copy_names(const struct semantic_table *index, char **schema, char **name,
                        struct error *err)
{
    *schema = memory_copy(index->store.schema, strlen(index->store.schema));
    *name = memory_copy(index->store.name, strlen(index->store.name));
    return *schema == NULL || *name == NULL ? error_nomem(err) : 0;
}
