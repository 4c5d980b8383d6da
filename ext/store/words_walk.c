#include "store/words_walk.h"

#include <math.h>

#include "base/memory.h"
#include "sqlite/fts5.h"

#define ROWS_BETWEEN_CHECKS 4096

/* What a word is worth at least, as in FTS5's bm25(). */
#define LEAST_IDF 1e-6

/* While X_fts is visited. */
struct visit {
    struct words_walk *walk;
    struct store *store;
    const double *weights;   /* [n_terms] */
    struct words_list *list; /* that is being walked */
    int ends_early;          /* its walk ends where it is common */
    int knows_first;         /* the next is known: */
    /* The documents behind the first ones: a word that WORDS_SAMPLE before them have is in most, or
     * frequent. */
    int64_t first, second;
    int rc;
    struct error *err;
};

static int corrupt(const struct store *store, const char *what, struct error *err)
{
    return error_set(err, ERROR_CORRUPT, "%s_fts: %s ('rebuild' makes it anew)", store->name, what);
}

static int grow(struct words_list *list, struct error *err)
{
    size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
    struct words_posting *items = memory_realloc(list->items, capacity, sizeof *items);
    if (items == NULL) return error_nomem(err);
    list->items = items;
    list->capacity = capacity;
    return 0;
}

/* The document that is n behind another one. */
static int find_behind(struct visit *visit, int64_t from, int n, int64_t *document)
{
    struct store *store = visit->store;
    sqlite3_stmt *statement;
    int row = 0;
    *document = INT64_MIN;
    int rc = statement_prepare(store->db, &statement, visit->err,
                               "SELECT id FROM \"%w\".\"%w_fts_docsize\" WHERE id >= %lld "
                               "ORDER BY id LIMIT 1 OFFSET %d",
                               store->schema, store->name, (long long)from, n);
    if (rc == 0) rc = statement_step(store->db, statement, &row, visit->err);
    if (rc == 0 && row) *document = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return rc;
}

/* Of a list that has come to WORDS_SAMPLE: how soon it has. */
static int tell_extent(struct visit *visit)
{
    struct words_list *list = visit->list;
    int64_t last = list->items[list->n - 1].document;
    int rc = 0;
    if (!visit->knows_first) {
        int n_behind =
            visit->walk->n_terms > WORDS_OF_A_TEXT ? 14 * WORDS_SAMPLE : 2 * WORDS_SAMPLE;
        rc = find_behind(visit, INT64_MIN, 2 * WORDS_SAMPLE, &visit->first);
        if (rc == 0) rc = find_behind(visit, visit->first, n_behind, &visit->second);
        visit->knows_first = 1;
    }
    if (last < visit->second) list->extent = WORDS_FREQUENT;
    if (last < visit->first) list->extent = WORDS_IN_MOST;
    return rc;
}

/* What is done now and then. */
static int look_up(struct visit *visit)
{
    struct words_list *list = visit->list;
    if (list->n % ROWS_BETWEEN_CHECKS == 0) return cancel_check(visit->store->cancel, visit->err);
    return visit->ends_early ? tell_extent(visit) : 0;
}

static int take_row(const Fts5ExtensionApi *api, Fts5Context *row, void *context)
{
    struct visit *visit = context;
    struct words_list *list = visit->list;
    struct words_posting posting = {.document = api->xRowid(row)};
    Fts5PhraseIter at;
    int column, offset;
    if (list->n == list->capacity && (visit->rc = grow(list, visit->err)) != 0) return SQLITE_NOMEM;
    int code = api->xPhraseFirst(row, 0, &at, &column, &offset);
    if (code != SQLITE_OK) return code;
    for (; column >= 0; api->xPhraseNext(row, &at, &column, &offset)) {
        posting.count++;
        posting.last = (uint32_t)offset;
    }
    if (posting.count == 0 ||
        (list->n > 0 && list->items[list->n - 1].document >= posting.document)) {
        visit->rc = corrupt(visit->store, "the documents of a word are out of order", visit->err);
        return SQLITE_CORRUPT;
    }
    list->items[list->n++] = posting;
    if (list->n % ROWS_BETWEEN_CHECKS != 0 && list->n != WORDS_SAMPLE) return SQLITE_OK;
    visit->rc = look_up(visit);
    if (visit->rc != 0) return SQLITE_ABORT;
    return list->extent == WORDS_WHOLE ? SQLITE_OK : SQLITE_DONE;
}

static void empty(struct words_list *list)
{
    memory_free(list->items);
    list->items = NULL;
    list->n = list->capacity = 0;
}

/* Walks a phrase. */
static int walk_phrase(struct visit *visit, const Fts5ExtensionApi *api, Fts5Context *row, size_t i,
                       int ends_early, struct error *err)
{
    visit->list = &visit->walk->lists[i];
    visit->list->extent = WORDS_WHOLE;
    visit->ends_early = ends_early;
    int code = api->xQueryPhrase(row, (int)i, visit, take_row);
    if (visit->list->extent != WORDS_WHOLE) empty(visit->list);
    if (visit->rc != 0) return visit->rc;
    return code == SQLITE_OK ? 0 : fts5_error(code, err);
}

/* Walks the terms that were left out as they are of that extent, if the others are in less than so
 * many documents. */
static int walk_left_out(struct visit *visit, const Fts5ExtensionApi *api, Fts5Context *row,
                         int extent, size_t enough, struct error *err)
{
    const struct words_walk *walk = visit->walk;
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; i < walk->n_terms; i++) n += walk->lists[i].n;
    for (size_t i = 0; rc == 0 && n < enough && i < walk->n_terms; i++)
        if (walk->lists[i].extent == (unsigned)extent) rc = walk_phrase(visit, api, row, i, 0, err);
    return rc;
}

static int read_statistics(struct visit *visit, const Fts5ExtensionApi *api, Fts5Context *row,
                           double *n_documents, struct error *err)
{
    sqlite3_int64 n_rows = 0, n_tokens = 0;
    int code = api->xRowCount(row, &n_rows);
    if (code == SQLITE_OK) code = api->xColumnTotalSize(row, -1, &n_tokens);
    if (code != SQLITE_OK) return fts5_error(code, err);
    if (n_rows < 1 || n_tokens < 1)
        return corrupt(visit->store, "its numbers of documents and words are wrong", err);
    *n_documents = (double)n_rows;
    visit->walk->average = (double)n_tokens / (double)n_rows;
    visit->walk->slope = WORDS_K1 * WORDS_B / visit->walk->average;
    return 0;
}

static int visit_phrases(void *context, const Fts5ExtensionApi *api, Fts5Context *row,
                         struct error *err)
{
    struct visit *visit = context;
    struct words_walk *walk = visit->walk;
    double n_documents = 0.0;
    visit->err = err;
    int rc = read_statistics(visit, api, row, &n_documents, err);
    for (size_t i = 0; rc == 0 && i < walk->n_lists; i++)
        rc = walk_phrase(visit, api, row, i, i < walk->n_terms && n_documents > WORDS_LARGE, err);
    if (rc == 0) rc = walk_left_out(visit, api, row, WORDS_FREQUENT, WORDS_ENOUGH, err);
    if (rc == 0) rc = walk_left_out(visit, api, row, WORDS_IN_MOST, 1, err);
    for (size_t i = 0; rc == 0 && i < walk->n_terms; i++) {
        struct words_list *list = &walk->lists[i];
        double n = (double)list->n;
        if (n > n_documents)
            return corrupt(visit->store, "a word is in more documents than there are", err);
        list->idf = list->extent != WORDS_WHOLE ? 0.0 : log((n_documents - n + 0.5) / (n + 0.5));
        if (list->idf <= 0.0) list->idf = LEAST_IDF;
        list->idf *= visit->weights[i];
    }
    return rc;
}

int words_walk_init(struct words_walk *walk, struct store *store, const struct words_terms *terms,
                    struct error *err)
{
    struct visit visit = {.walk = walk, .store = store, .weights = terms->weights};
    *walk = (struct words_walk){.n_terms = terms->n_terms};
    size_t n = terms->n_terms + terms->n_must + terms->n_excluded;
    if (n == 0) return 0;
    walk->lists = memory_zalloc(n, sizeof *walk->lists);
    char *table = sqlite3_mprintf("%s_fts", store->name);
    int rc = walk->lists == NULL || table == NULL ? error_nomem(err) : 0;
    if (rc == 0) {
        walk->n_lists = n;
        rc = fts5_visit(store->connection, store->schema, table, terms->match.data, visit_phrases,
                        &visit, err);
    }
    sqlite3_free(table);
    return rc;
}

void words_walk_deinit(struct words_walk *walk)
{
    for (size_t i = 0; i < walk->n_lists; i++) empty(&walk->lists[i]);
    memory_free(walk->lists);
    *walk = (struct words_walk){0};
}

const struct words_posting *words_list_find(const struct words_list *list, int64_t document)
{
    size_t low = 0, high = list->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle].document < document) low = middle + 1;
        else high = middle;
    }
    return low < list->n && list->items[low].document == document ? &list->items[low] : NULL;
}
