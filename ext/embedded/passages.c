#include "embedded/passages.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "embedded/pieces.h"
#include "embedded/table.h"
#include "vector/distance.h"

/* Pieces; a passage is two stretches, one after the other. */
#define STRETCH 20

/* A sum of rows: of each component the scales of those whose sign is set, and the scales of all. */
struct stretch {
    int32_t set[TABLE_DIMENSIONS];
    int32_t scales;
    int n;
};

_Static_assert(2 * STRETCH <= INT32_MAX / TABLE_SCALE_LIMIT / 2, "a passage fits into 32 bits");

struct passages {
    struct pieces pieces;
    double query[TABLE_DIMENSIONS]; /* a unit vector; zeros: it has no piece */
    int has_query;
    /* Of the text that is read: */
    struct stretch before, now;
    double best;
};

static int add_to_query(void *context, uint32_t row, struct error *err)
{
    struct passages *passages = context;
    const uint8_t *signs = table_signs(row);
    double scale = table_scale(row);
    (void)err;
    for (size_t i = 0; i < TABLE_DIMENSIONS; i++)
        passages->query[i] += signs[i / 8] >> i % 8 & 1 ? scale : -scale;
    return 0;
}

/* The passage that ends here. Sums are whole numbers, and added in one order. */
static void measure(struct passages *passages)
{
    const struct stretch *before = &passages->before, *now = &passages->now;
    double product = 0, squares = 0;
    for (size_t i = 0; i < TABLE_DIMENSIONS; i++) {
        double value = 2 * (before->set[i] + now->set[i]) - before->scales - now->scales;
        product += passages->query[i] * value;
        squares += value * value;
    }
    if (squares > 0) passages->best = fmax(passages->best, product / sqrt(squares));
}

static int add_to_text(void *context, uint32_t row, struct error *err)
{
    struct passages *passages = context;
    struct stretch *now = &passages->now;
    (void)err;
    vector_add_where(now->set, table_signs(row), table_scale(row), TABLE_DIMENSIONS);
    now->scales += table_scale(row);
    if (++now->n < STRETCH) return 0;
    measure(passages);
    passages->before = *now;
    *now = (struct stretch){0};
    return 0;
}

static int pass_unknown(void *context, struct span word, struct error *err)
{
    (void)context;
    (void)word;
    (void)err;
    return 0;
}

static int read_text(struct passages *passages, struct span text,
                     int (*take)(void *context, uint32_t row, struct error *err), struct error *err)
{
    struct pieces_sink sink = {take, pass_unknown, passages};
    passages->pieces.sink = &sink;
    int rc = pieces_read(&passages->pieces, text, err);
    passages->pieces.sink = NULL;
    return rc;
}

static void make_unit(struct passages *passages)
{
    double squares = 0;
    for (size_t i = 0; i < TABLE_DIMENSIONS; i++)
        squares += passages->query[i] * passages->query[i];
    passages->has_query = squares > 0;
    for (size_t i = 0; passages->has_query && i < TABLE_DIMENSIONS; i++)
        passages->query[i] /= sqrt(squares);
}

int passages_open(struct span query, const struct cancel *cancel, struct passages **opened,
                  struct error *err)
{
    struct passages *passages = memory_zalloc(1, sizeof *passages);
    *opened = NULL;
    if (passages == NULL) return error_nomem(err);
    pieces_init(&passages->pieces, NULL, cancel);
    int rc = read_text(passages, query, add_to_query, err);
    if (rc == 0) make_unit(passages);
    if (rc == 0) *opened = passages;
    else passages_close(passages);
    return rc;
}

void passages_close(struct passages *passages)
{
    if (passages == NULL) return;
    pieces_deinit(&passages->pieces);
    memory_free(passages);
}

int passages_best(struct passages *passages, struct span text, double *cosine, struct error *err)
{
    *cosine = 0;
    if (!passages->has_query) return 0;
    passages->before = passages->now = (struct stretch){0};
    passages->best = -1;
    int rc = read_text(passages, text, add_to_text, err);
    if (rc == 0 && passages->now.n > 0) measure(passages);
    if (rc == 0 && passages->before.n + passages->now.n > 0) *cosine = passages->best;
    return rc;
}
