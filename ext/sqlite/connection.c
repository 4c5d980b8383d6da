#include "sqlite/connection.h"

#include "base/memory.h"
#include "sqlite/cache_file.h"
#include "sqlite/statement.h"

static int is_interrupted(void *context)
{
    struct connection *connection = context;
    return sqlite3_exec(connection->db, " ", NULL, NULL, NULL) == SQLITE_INTERRUPT;
}

/* A statement that is to write has begun its transaction before its first function is called. */
static int is_writing(void *context)
{
    struct connection *connection = context;
    return sqlite3_txn_state(connection->db, NULL) == SQLITE_TXN_WRITE;
}

int connection_new(sqlite3 *db, struct connection **opened, struct error *err)
{
    struct connection *connection = memory_zalloc(1, sizeof *connection);
    *opened = NULL;
    if (connection == NULL) return error_nomem(err);
    connection->db = db;
    connection->references = 1;
    connection->cancel = (struct cancel){is_interrupted, connection};
    int rc = catalog_new(&connection->catalog, err);
    if (rc != 0) {
        memory_free(connection);
        return rc;
    }
    catalog_set_store_opener(connection->catalog, cache_file_open);
    catalog_set_is_writing(connection->catalog, is_writing, connection);
    api_hold();
    *opened = connection;
    return 0;
}

struct connection *connection_reference(struct connection *connection)
{
    connection->references++;
    return connection;
}

void connection_release(void *data)
{
    struct connection *connection = data;
    if (--connection->references > 0) return;
    catalog_free(connection->catalog);
    memory_free(connection);
    api_release();
}

int connection_function(struct connection *connection, const char *name, int n_arguments, int flags,
                        void (*function)(sqlite3_context *, int, sqlite3_value **))
{
    /* SQLite calls the destructor also when it refuses the function. */
    return sqlite3_create_function_v2(connection->db, name, n_arguments, SQLITE_UTF8 | flags,
                                      connection_reference(connection), function, NULL, NULL,
                                      connection_release);
}

int connection_module(struct connection *connection, const char *name, const sqlite3_module *module)
{
    return sqlite3_create_module_v2(connection->db, name, module, connection_reference(connection),
                                    connection_release);
}

int connection_is_read_only(struct connection *connection, const char *schema, int *read_only,
                            struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    int rc = statement_prepare(connection->db, &statement, err, "PRAGMA query_only");
    if (rc == 0) rc = statement_step(connection->db, statement, &row, err);
    *read_only = sqlite3_db_readonly(connection->db, schema) != 0 ||
                 (row && sqlite3_column_int(statement, 0) != 0);
    sqlite3_finalize(statement);
    return rc;
}
