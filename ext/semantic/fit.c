#include "semantic/fit.h"

#include "semantic/content.h"

/* What a fit reads: the content, row after row, but for what is no text. */
struct collection {
    struct semantic_table *table;
    struct content_scan scan;
    struct buffer text;
};

static int collection_next(void *context, struct span *text, int *done, struct error *err)
{
    struct collection *collection = context;
    struct error bad;
    int64_t id;
    int rc;
    do
        rc = content_scan_next(collection->table, &collection->scan, &id, &collection->text, &bad,
                               done, err);
    while (rc == 0 && !*done && (collection->text.size == 0 || bad.code != 0));
    *text = (struct span){collection->text.data, collection->text.size};
    return rc;
}

int semantic_fit_is_due(struct semantic_table *table, const struct store_state *state,
                        const struct catalog_entry *entry, int64_t n_texts, int *due,
                        struct error *err)
{
    const struct model *model = catalog_entry_model(entry);
    int64_t fitted_on, any_own = 0;
    *due = model->methods->fit != NULL && n_texts > 0;
    if (!*due || state->fit == 0) return 0;
    *due = model->refits && table->config.dimensions == 0;
    if (!*due) return 0;
    int rc = store_ask(&table->store, STORE_FITTED_ON, 0, 0, &fitted_on, err);
    if (rc == 0) rc = store_ask(&table->store, STORE_ANY_OWN, 0, 0, &any_own, err);
    *due = rc == 0 && n_texts / 2 >= fitted_on && !any_own;
    return rc;
}

int semantic_fit(struct semantic_table *table, struct catalog_entry *entry, uint64_t n_texts,
                 struct model **fitted, struct error *err)
{
    struct model *model = catalog_entry_model(entry);
    struct collection collection = {.table = table};
    buffer_init(&collection.text, CONTENT_MAX_TEXT);
    int rc = content_scan_open(table, NULL, &collection.scan, err);
    if (rc == 0) {
        struct model_collection input = {n_texts, collection_next, &collection,
                                         &table->connection->cancel};
        rc = model->methods->fit(model, &input, fitted, err);
    }
    content_scan_close(&collection.scan);
    buffer_deinit(&collection.text);
    return rc;
}
