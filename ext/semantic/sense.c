#include "semantic/sense.h"

#include "semantic/content.h"

/* Bytes of texts that are looked at together. */
#define TOGETHER ((size_t)1 << 20)

static int ask(const struct semantic_table *table, struct model *model, struct span query,
               const struct span *texts, size_t n_texts, int *has, struct error *err)
{
    return model->methods->has_sense(model, query, texts, n_texts, &table->connection->cancel, has,
                                     err);
}

int sense_is_learnt(const struct semantic_table *table, struct model *model, struct span query,
                    int *has, struct error *err)
{
    return ask(table, model, query, NULL, 0, has, err);
}

/* Appends the text of a row, if there is one; *is_unknown: it has none, but a vector. */
static int append_text(struct semantic_table *table, int64_t id, struct buffer *all,
                       int *is_unknown, struct error *err)
{
    struct buffer text;
    struct error bad;
    int exists, found;
    buffer_init(&text, CONTENT_MAX_TEXT);
    int rc = content_text(table, id, &text, &bad, &exists, &found, err);
    *is_unknown = rc == 0 && exists && !found;
    if (rc == 0 && found && bad.code == 0) rc = buffer_append(all, text.data, text.size, err);
    buffer_deinit(&text);
    return rc;
}

/* Texts [n] that lie one behind the other. */
static int ask_together(const struct semantic_table *table, struct model *model, struct span query,
                        const struct buffer *all, struct span *texts, size_t n, int *has,
                        struct error *err)
{
    size_t at = 0;
    for (size_t i = 0; i < n; at += texts[i++].size) texts[i].data = all->data + at;
    return ask(table, model, query, texts, n, has, err);
}

int sense_find(struct semantic_table *table, struct model *model, struct span query,
               const struct top_k *nearest, int *has, struct error *err)
{
    struct span texts[SENSE_ROWS];
    struct buffer all;
    size_t n = 0;
    int rc = 0;
    *has = 0;
    buffer_init(&all, CONTENT_MAX_TEXT + TOGETHER);
    for (size_t i = 0; rc == 0 && !*has && i < nearest->n; i++) {
        size_t before = all.size;
        rc = append_text(table, nearest->hits[i].id, &all, has, err);
        texts[n++].size = all.size - before;
        if (rc != 0 || *has || (i + 1 < nearest->n && n < SENSE_ROWS && all.size < TOGETHER))
            continue;
        rc = ask_together(table, model, query, &all, texts, n, has, err);
        buffer_clear(&all);
        n = 0;
    }
    buffer_deinit(&all);
    return rc;
}
