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
    if (documents->exceptions != NULL && document >= documents->from &&
        (!documents->has_next || documents->next > document))
        return 0; /* between two exceptions, as nearly all are */
    int rc = find_exception(documents, document, err);
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
    int rc = store_look_up(documents->store, KEPT_DOCUMENT_OF, id, &exception, found, err);
    *document = id;
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

/* A number of FTS5: seven bits a byte, the highest first; false: this is none. */
static int read_number(const unsigned char *bytes, size_t size, int64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < size && i < 5; i++) {
        *number = *number << 7 | (bytes[i] & 0x7F);
        if (bytes[i] < 0x80) return i + 1 == size;
    }
    return 0;
}

int words_documents_length(struct words_documents *documents, int64_t document, int64_t *length,
                           struct error *err)
{
    sqlite3_stmt *row;
    const void *bytes = NULL;
    size_t size = 0;
    int found, rc = store_look_up(documents->store, KEPT_WORDS_LENGTH, document, &row, &found, err);
    if (rc == 0 && found) rc = statement_column_bytes(row, 0, &bytes, &size, err);
    if (rc == 0 && !read_number(bytes, size, length))
        rc = corrupt(documents, "_fts_docsize", document, "its length is not there", err);
    if (found) sqlite3_reset(row);
    return rc;
}
