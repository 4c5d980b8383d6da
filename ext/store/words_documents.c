#include "store/words_documents.h"

#include "store/statements.h"

/* So many exceptions are passed by before the next is looked for. */
#define FEW 16

void words_documents_open(struct words_documents *documents, struct store *store)
{
    *documents = (struct words_documents){.store = store};
}

void words_documents_close(struct words_documents *documents)
{
    sqlite3_finalize(documents->exceptions);
    *documents = (struct words_documents){0};
}

static int corrupt(const struct words_documents *documents, const char *table, int64_t document,
                   const char *what, struct error *err)
{
    return error_set(err, ERROR_CORRUPT, "%s%s: document %lld: %s ('rebuild' makes it anew)",
                     documents->store->name, table, (long long)document, what);
}

/* Most indexes have no exception. */
static int ask_for_any(struct words_documents *documents, struct error *err)
{
    int64_t any = 0;
    if (documents->is_asked) return 0;
    int rc = store_ask(documents->store, STORE_ANY_EXCEPTION, 0, 0, &any, err);
    documents->is_asked = rc == 0;
    documents->has_any = any != 0;
    return rc;
}

static int step_exception(struct words_documents *documents, struct error *err)
{
    int rc = statement_step(documents->store->db, documents->exceptions, &documents->has_next, err);
    if (rc == 0 && documents->has_next)
        documents->next = sqlite3_column_int64(documents->exceptions, 0);
    return rc;
}

static int seek_exception(struct words_documents *documents, int64_t document, struct error *err)
{
    int rc = 0;
    if (documents->exceptions != NULL) sqlite3_reset(documents->exceptions);
    else
        rc = store_prepare(documents->store,
                           "SELECT doc, id FROM " X_DOCS " WHERE doc >= ?1 ORDER BY doc", 0,
                           &documents->exceptions, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(documents->exceptions, 1, document);
    return step_exception(documents, err);
}

static int find_exception(struct words_documents *documents, int64_t document, struct error *err)
{
    int rc = 0;
    if (documents->exceptions == NULL || document < documents->from)
        rc = seek_exception(documents, document, err);
    documents->from = document;
    for (int i = 0; rc == 0 && i < FEW; i++) {
        if (!documents->has_next || documents->next >= document) return 0;
        rc = step_exception(documents, err);
    }
    return rc == 0 && documents->has_next && documents->next < document
               ? seek_exception(documents, document, err)
               : rc;
}

int words_documents_row(struct words_documents *documents, int64_t document, int64_t *id, int *live,
                        struct error *err)
{
    *id = document;
    *live = 1;
    if (documents->is_asked && !documents->has_any) return 0;
    if (documents->exceptions != NULL && document >= documents->from &&
        (!documents->has_next || documents->next > document))
        return 0; /* between two exceptions, as nearly all are */
    int rc = ask_for_any(documents, err);
    if (rc == 0 && documents->has_any) rc = find_exception(documents, document, err);
    if (rc != 0 || !documents->has_next || documents->next != document) return rc;
    int type = sqlite3_column_type(documents->exceptions, 1);
    *id = sqlite3_column_int64(documents->exceptions, 1);
    *live = type == SQLITE_INTEGER;
    return type == SQLITE_INTEGER || type == SQLITE_NULL
               ? 0
               : corrupt(documents, "_docs", document, "its row is no number", err);
}

int words_documents_of_row(struct words_documents *documents, int64_t id, int64_t *document,
                           int *found, struct error *err)
{
    sqlite3_stmt *exception;
    int rc = ask_for_any(documents, err);
    *document = id;
    *found = 1;
    if (rc != 0 || !documents->has_any) return rc;
    rc = store_look_up(documents->store, KEPT_DOCUMENT_OF, id, &exception, found, err);
    if (rc != 0) return rc;
    if (*found) {
        *document = sqlite3_column_int64(exception, 0);
        sqlite3_reset(exception);
        return 0;
    }
    /* The document of its own number, unless another row has it, or none. */
    int64_t owner;
    rc = words_documents_row(documents, id, &owner, found, err);
    if (owner != id) *found = 0;
    return rc;
}
