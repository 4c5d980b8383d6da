#include "store/words_search.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "store/words.h"
#include "text/subwords.h"

static int read_terms(struct words_terms *terms, struct store *store, struct span query,
                      struct error *err)
{
    char *tokenizer;
    *terms = (struct words_terms){0};
    int rc = store_get_text(store, "lexical", &tokenizer, err);
    if (rc == 0 && tokenizer == NULL)
        rc = store_corrupt_config(store, "'lexical' is not there", err);
    if (rc == 0) rc = words_terms_init(terms, store->connection, tokenizer, query, err);
    memory_free(tokenizer);
    return rc;
}

/* The documents of some lists of the walk, from the first on: of all of them, or of any. */
static int documents_of_all(const struct words_list *lists, size_t n, struct ids *documents,
                            struct error *err)
{
    int rc = ids_init(documents, err);
    for (size_t i = 0; rc == 0 && i < lists[0].n; i++) {
        size_t j = 1;
        while (j < n && words_list_find(&lists[j], lists[0].items[i].document) != NULL) j++;
        if (j == n) rc = ids_add(documents, lists[0].items[i].document, err);
    }
    return rc;
}

static int documents_of_any(const struct words_list *lists, size_t n, struct ids *documents,
                            struct error *err)
{
    int rc = ids_init(documents, err);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; rc == 0 && j < lists[i].n; j++)
            rc = ids_add(documents, lists[i].items[j].document, err);
    if (n > 1) ids_sort(documents);
    return rc;
}

/* The rows of documents, which ascend. */
static int rows_of(struct words_documents *documents, const struct ids *of, struct ids *rows,
                   struct error *err)
{
    int live, rc = ids_init(rows, err), ascend = 1;
    for (size_t i = 0; rc == 0 && i < of->n; i++) {
        int64_t id;
        rc = words_documents_row(documents, of->items[i], &id, &live, err);
        if (rc != 0 || !live) continue;
        if (rows->n > 0 && rows->items[rows->n - 1] >= id) ascend = 0;
        rc = ids_add(rows, id, err);
    }
    if (!ascend) ids_sort(rows);
    return rc;
}

static int rank(struct words_search *search, const struct words_terms *terms, struct error *err)
{
    struct words_walk *walk = &search->walk;
    const struct words_list *lists = walk->lists + terms->n_terms;
    struct ids *must = &search->must_documents, *excluded = &search->excluded_documents;
    int rc = 0;
    search->has_must = terms->n_must > 0;
    if (search->has_must) rc = documents_of_all(lists, terms->n_must, must, err);
    if (rc == 0) rc = rows_of(&search->documents, must, &search->must, err);
    if (rc == 0 && terms->n_excluded > 0)
        rc = documents_of_any(lists + terms->n_must, terms->n_excluded, excluded, err);
    if (rc == 0) rc = rows_of(&search->documents, excluded, &search->excluded, err);
    words_ranking_init(&search->ranking, walk, &search->documents, search->has_must ? must : NULL,
                       excluded);
    return rc;
}

/* A word that no row has counts, a piece does not: most pieces inside a word begin no other. */
static void sum_idf(struct words_search *search, const struct words_terms *terms)
{
    const struct words_walk *walk = &search->walk;
    int any = 0;
    for (size_t i = 0; i < walk->n_terms; i++) {
        const struct words_list *list = &walk->lists[i];
        any |= list->n > 0;
        if (!terms->are_pieces[i] || list->n > 0 || list->extent != WORDS_WHOLE)
            search->bound += list->idf;
    }
    if (!any) search->bound = 0.0;
}

/* A word that is nowhere may be one that FTS5 has lost. */
static int check_places(const struct words_walk *walk, struct store *store, struct error *err)
{
    for (size_t i = 0; i < walk->n_lists; i++)
        if (walk->lists[i].n == 0 && walk->lists[i].extent == WORDS_WHOLE)
            return words_check_places(store, err);
    return 0;
}

int words_search_open(struct words_search *search, struct store *store, struct span query,
                      struct error *err)
{
    struct words_terms *terms = &search->terms;
    *search = (struct words_search){0};
    words_documents_open(&search->documents, store);
    int rc = read_terms(terms, store, query, err);
    if (rc == 0) rc = words_walk_init(&search->walk, store, terms, err);
    if (rc == 0) rc = check_places(&search->walk, store, err);
    if (rc == 0 && search->walk.n_lists > 0) rc = rank(search, terms, err);
    if (rc == 0) sum_idf(search, terms);
    return rc;
}

void words_search_deinit(struct words_search *search)
{
    words_ranking_deinit(&search->ranking);
    words_documents_close(&search->documents);
    words_walk_deinit(&search->walk);
    words_terms_deinit(&search->terms);
    ids_deinit(&search->must);
    ids_deinit(&search->excluded);
    ids_deinit(&search->must_documents);
    ids_deinit(&search->excluded_documents);
    *search = (struct words_search){0};
}

void words_search_keep(struct words_search *search, const int64_t *ids, size_t n)
{
    words_ranking_keep(&search->ranking, ids, n);
}

void words_search_expect(struct words_search *search, size_t n)
{
    words_ranking_expect(&search->ranking, n);
}

int words_search_next(struct words_search *search, struct words_match *match, int *found,
                      struct error *err)
{
    struct words_candidate next;
    int rc = words_ranking_next(&search->ranking, &next, found, err);
    if (*found) *match = (struct words_match){next.id, next.score};
    return rc;
}

/* While a word is looked up. */
struct rarest {
    const struct words_search *search;
    double idf;
};

static double rarity_of(const struct words_search *search, size_t i)
{
    const struct words_list *list = &search->walk.lists[i];
    double n_documents = search->walk.n_documents, n = (double)list->n;
    if (list->extent == WORDS_FREQUENT) n = n_documents / 4;
    if (list->extent == WORDS_IN_MOST) n = n_documents / 2;
    return log1p((n_documents - n + 0.5) / (n + 0.5));
}

static int take_rarest(void *context, const struct fts5_token *token, struct error *err)
{
    struct rarest *rarest = context;
    const struct words_search *search = rarest->search;
    (void)err;
    if (subwords_is_piece(token->token)) return 0;
    for (size_t i = 0; i < search->walk.n_terms; i++) {
        struct span term = words_terms_token(&search->terms, i);
        if (term.size == token->token.size && term.size > 0 &&
            memcmp(term.data, token->token.data, term.size) == 0)
            rarest->idf = fmax(rarest->idf, rarity_of(search, i));
    }
    return 0;
}

int words_search_rarity(struct words_search *search, struct span word, double *idf,
                        struct error *err)
{
    struct rarest rarest = {search, 0.0};
    int rc = 0;
    if (search->walk.n_documents > 0)
        rc = fts5_splitter_run(&search->terms.splitter, FTS5_TOKENIZE_TERMS, word, take_rarest,
                               &rarest, err);
    *idf = rarest.idf;
    return rc;
}

int words_search_bm25(struct words_search *search, int64_t id, double *bm25, struct error *err)
{
    int64_t document;
    int found;
    *bm25 = NAN;
    if (search->walk.n_lists == 0) return 0;
    int rc = words_documents_of_row(&search->documents, id, &document, &found, err);
    return rc == 0 && found ? words_ranking_bm25(&search->ranking, document, bm25, err) : rc;
}
