#include "store/words_walk.h"

#include <math.h>

#include "base/memory.h"
#include "sqlite/fts5.h"
#include "store/history.h"
#include "store/words_memory.h"
#include "store/words_pages.h"

#define ROWS_BETWEEN_CHECKS 4096

/* Of memory_budget one in so many bytes is for lists that are kept. */
#define BUDGET_SHARE 64

/* What a word is worth at least, as in FTS5's bm25(). */
#define LEAST_IDF 1e-6

/* A walk while it goes on. */
struct visit {
    struct words_walk *walk;
    struct store *store;
    const struct words_terms *terms;
    struct words_pages pages;
    char *is_walked, *is_unknown; /* [n_lists]; whether the pages did not do */
    double n_documents;
    /* While FTS5 is visited. */
    const Fts5ExtensionApi *api;
    Fts5Context *row;

    struct words_list *list; /* that is being walked */
    int ends_early;          /* its walk ends where it is common */
    int rc;
    struct error *err;
};

static int corrupt(const struct store *store, const char *what, struct error *err)
{
    return error_set(err, ERROR_CORRUPT, "%s_fts: %s ('rebuild' makes it anew)", store->name, what);
}

/* ---- words that many documents have ---------------------------------------------------------- */

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
    int64_t last = list->items[WORDS_SAMPLE - 1].document;
    struct words_memory *memory = visit->store->words_memory;
    int is_text = visit->walk->n_terms > WORDS_OF_A_TEXT, rc = 0;
    struct words_memory_sample *sample = is_text ? &memory->of_texts : &memory->of_questions;
    if (!sample->is_known) {
        int n_behind = (is_text ? 14 : 2) * WORDS_SAMPLE;
        rc = find_behind(visit, INT64_MIN, 2 * WORDS_SAMPLE, &sample->first);
        if (rc == 0) rc = find_behind(visit, sample->first, n_behind, &sample->second);
        sample->is_known = rc == 0;
    }
    if (rc == 0 && last < sample->second) list->extent = WORDS_FREQUENT;
    if (rc == 0 && last < sample->first) list->extent = WORDS_IN_MOST;
    return rc;
}

/* ---- a phrase -------------------------------------------------------------------------------- */

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
    if (list->n == list->capacity && (visit->rc = words_list_grow(list, visit->err)) != 0)
        return SQLITE_NOMEM;
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

/* By FTS5's interface. */
static int walk_rows(struct visit *visit, size_t i, struct error *err)
{
    int code = visit->api->xQueryPhrase(visit->row, (int)i, visit, take_row);
    if (visit->rc != 0) return visit->rc;
    return code == SQLITE_OK ? 0 : fts5_error(code, err);
}

/* Reads what the list has not yet of a token; ends early where it is common. */
static int read_pages(struct visit *visit, struct span token, size_t segment, struct error *err)
{
    struct words_pages *pages = &visit->pages;
    struct words_list *list = visit->list;
    int more = 1, is_told = 0, rc = words_list_own(list, err);
    if (rc == 0) words_pages_begin(pages, token, segment);
    while (rc == 0 && more && list->extent == WORDS_WHOLE) {
        rc = words_pages_next(pages, list, &more, err);
        /* Documents that are still to come can only be before those that are there. */
        if (rc != 0 || !pages->is_known || !visit->ends_early || list->n < WORDS_SAMPLE) continue;
        if (!is_told || !more) rc = tell_extent(visit);
        is_told = 1;
    }
    return rc;
}

/* By FTS5's pages; *known = 0: they do not do. */
static int walk_pages(struct visit *visit, size_t i, int *known, struct error *err)
{
    struct words_pages *pages = &visit->pages;
    struct words_memory *memory = visit->store->words_memory;
    struct words_list *list = visit->list;
    size_t segment = 0;
    *known = i < visit->terms->n_terms && !visit->is_unknown[i];
    if (!*known) return 0;
    struct span token = words_terms_token(visit->terms, i);
    if (words_memory_find(memory, token, list, &segment) && segment == pages->n_segments)
        return visit->ends_early && list->n >= WORDS_SAMPLE ? tell_extent(visit) : 0;
    int rc = read_pages(visit, token, segment, err);
    *known = pages->is_known;
    visit->is_unknown[i] = !*known;
    if (rc != 0 || !*known || list->extent != WORDS_WHOLE) return rc;
    return words_memory_keep(memory, store_memory_budget(visit->store) / BUDGET_SHARE, token, list,
                             err);
}

/* Walks a phrase, if that can be done without FTS5 or that is at hand. */
static int walk_phrase(struct visit *visit, size_t i, int ends_early, struct error *err)
{
    struct words_list *list = &visit->walk->lists[i];
    int extent = (int)list->extent, known;
    list->extent = WORDS_WHOLE;
    visit->list = list;
    visit->ends_early = ends_early;
    int rc = walk_pages(visit, i, &known, err);
    if (!known || rc != 0) words_list_empty(list);
    if (rc == 0 && !known && visit->api != NULL) rc = walk_rows(visit, i, err);
    visit->is_walked[i] = known || visit->api != NULL;
    if (!visit->is_walked[i]) list->extent = (unsigned)extent;
    else if (list->extent != WORDS_WHOLE) words_list_empty(list);
    return rc;
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* Walks the terms that were left out as they are of that extent, if the others are in less than so
 * many documents. */
static int walk_left_out(struct visit *visit, int extent, size_t enough, struct error *err)
{
    const struct words_walk *walk = visit->walk;
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; i < walk->n_terms; i++) n += walk->lists[i].n;
    for (size_t i = 0; rc == 0 && n < enough && i < walk->n_terms; i++)
        if (walk->lists[i].extent == (unsigned)extent) rc = walk_phrase(visit, i, 0, err);
    return rc;
}

static int are_walked(const struct visit *visit)
{
    for (size_t i = 0; i < visit->walk->n_lists; i++)
        if (!visit->is_walked[i]) return 0;
    return 1;
}

static int weigh(struct visit *visit, struct error *err)
{
    struct words_walk *walk = visit->walk;
    double n_documents = visit->n_documents;
    for (size_t i = 0; i < walk->n_terms; i++) {
        struct words_list *list = &walk->lists[i];
        double n = (double)list->n;
        if (n > n_documents)
            return corrupt(visit->store, "a word is in more documents than there are", err);
        list->idf = list->extent != WORDS_WHOLE ? 0.0 : log((n_documents - n + 0.5) / (n + 0.5));
        if (list->idf <= 0.0) list->idf = LEAST_IDF;
        list->idf *= visit->terms->weights[i];
    }
    return 0;
}

/* Whatever was not yet walked; what is to be walked by FTS5 only when it is at hand. */
static int walk_all(struct visit *visit, struct error *err)
{
    struct words_walk *walk = visit->walk;
    int rc = 0;
    visit->err = err;
    for (size_t i = 0; rc == 0 && i < walk->n_lists; i++)
        if (!visit->is_walked[i])
            rc = walk_phrase(visit, i, i < walk->n_terms && visit->n_documents > WORDS_LARGE, err);
    if (rc != 0 || !are_walked(visit)) return rc;
    rc = walk_left_out(visit, WORDS_FREQUENT, WORDS_ENOUGH, err);
    if (rc == 0 && are_walked(visit)) rc = walk_left_out(visit, WORDS_IN_MOST, 1, err);
    return rc == 0 && are_walked(visit) ? weigh(visit, err) : rc;
}

static void take_statistics(struct visit *visit, double n_documents, double n_tokens)
{
    visit->n_documents = visit->walk->n_documents = n_documents;
    visit->walk->average = n_tokens / n_documents;
    visit->walk->slope = WORDS_K1 * WORDS_B / visit->walk->average;
}

/* All that the pages did not say is asked of FTS5. */
static int visit_phrases(void *context, const Fts5ExtensionApi *api, Fts5Context *row,
                         struct error *err)
{
    struct visit *visit = context;
    sqlite3_int64 n_rows = 0, n_tokens = 0;
    int code = api->xRowCount(row, &n_rows);
    if (code == SQLITE_OK) code = api->xColumnTotalSize(row, -1, &n_tokens);
    if (code != SQLITE_OK) return fts5_error(code, err);
    if (n_rows < 1 || n_tokens < 1)
        return corrupt(visit->store, "its numbers of documents and words are wrong", err);
    take_statistics(visit, (double)n_rows, (double)n_tokens);
    visit->api = api;
    visit->row = row;
    return walk_all(visit, err);
}

static int visit_fts5(struct visit *visit, struct error *err)
{
    struct store *store = visit->store;
    char *table = sqlite3_mprintf("%s_fts", store->name);
    if (table == NULL) return error_nomem(err);
    int rc = fts5_visit(store->connection, store->schema, table, visit->terms->match.data,
                        visit_phrases, visit, err);
    sqlite3_free(table);
    return rc;
}

static int make_lists(struct visit *visit, struct error *err)
{
    const struct words_terms *terms = visit->terms;
    struct words_walk *walk = visit->walk;
    size_t n = terms->n_terms + terms->n_must + terms->n_excluded;
    walk->lists = memory_zalloc(n, sizeof *walk->lists);
    visit->is_walked = memory_zalloc(n, 1);
    visit->is_unknown = memory_zalloc(n, 1);
    if (walk->lists == NULL || visit->is_walked == NULL || visit->is_unknown == NULL)
        return error_nomem(err);
    walk->n_lists = n;
    for (size_t i = 0; i < terms->n_terms; i++)
        visit->is_unknown[i] = words_terms_token(terms, i).size == 0;
    return 0;
}

/* What is kept is of these tables, or of those to which documents were only added since. */
static int begin_memory(struct visit *visit, struct error *err)
{
    struct store *store = visit->store;
    const struct words_pages *pages = &visit->pages;
    const struct words_memory *memory = store->words_memory;
    uint64_t version = pages->is_known ? pages->version : 0;
    int goes_on = 0, rc = 0;
    if (memory != NULL && version != 0 && memory->version != version && memory->generation != 0)
        rc = history_has(store, memory->generation, pages->generation, &goes_on, err);
    if (rc == 0)
        rc = words_lengths_begin(store, version, pages->is_known ? (size_t)pages->n_documents : 0,
                                 goes_on, err);
    if (rc == 0) rc = words_memory_begin(&store->words_memory, pages, goes_on, err);
    visit->walk->lengths = store->lengths;
    return rc;
}

int words_walk_init(struct words_walk *walk, struct store *store, const struct words_terms *terms,
                    struct error *err)
{
    struct visit visit = {.walk = walk, .store = store, .terms = terms};
    *walk = (struct words_walk){.n_terms = terms->n_terms};
    if (terms->n_terms + terms->n_must + terms->n_excluded == 0) return 0;
    int rc = make_lists(&visit, err);
    if (rc == 0) rc = words_pages_open(&visit.pages, store, err);
    if (rc == 0) rc = begin_memory(&visit, err);
    if (rc == 0 && visit.pages.is_known) {
        take_statistics(&visit, visit.pages.n_documents, visit.pages.n_tokens);
        rc = walk_all(&visit, err);
    } else if (rc == 0) {
        for (size_t i = 0; i < terms->n_terms; i++) visit.is_unknown[i] = 1;
    }
    if (rc == 0 && !are_walked(&visit)) rc = visit_fts5(&visit, err);
    words_pages_close(&visit.pages);
    memory_free(visit.is_walked);
    memory_free(visit.is_unknown);
    return rc;
}

void words_walk_deinit(struct words_walk *walk)
{
    for (size_t i = 0; i < walk->n_lists; i++) words_list_empty(&walk->lists[i]);
    memory_free(walk->lists);
    *walk = (struct words_walk){0};
}
