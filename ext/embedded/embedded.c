#include "embedded/embedded.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/workers.h"
#include "embedded/pieces.h"
#include "embedded/table.h"
#include "embedded/tally.h"
#include "embedded/unknown.h"
#include "text/tokens.h"
#include "vector/distance.h"

/* Another number when a text comes to another vector, or to other pieces, by the same table. */
#define METHOD 1

#define BATCH_SIZE 2048
#define THREAD_BYTES 20000    /* of texts, that are worth a thread */
#define UNKNOWN_ID 100        /* [UNK] in BERT's vocabulary */
#define MAX_GRAMS 256         /* of a query that are looked for in texts */
#define FALLBACK ((size_t)64) /* bytes of a text of nothing but marks that make its vector */

/* ---- embedding ------------------------------------------------------------------------------- */

/* Rows that may be added before a part of 32 bits is full. */
#define PART_ROWS (INT32_MAX / TABLE_SCALE_LIMIT)

_Static_assert(UNKNOWN_SCALE < TABLE_SCALE_LIMIT, "a row of an unknown word fits as well");

/* Rows that a text had lately, at the place that their numbers say: texts repeat their words, and
 * their marks more. */
#define RECENT 256

struct recent {
    uint32_t row;
    int32_t count; /* 0: there is none */
};

/* The sum of rows. A component is 2 * (the scales of rows where its sign is set) - all scales. */
struct sum {
    int32_t part[TABLE_DIMENSIONS];  /* of the last few rows: scales where the sign is set */
    int64_t whole[TABLE_DIMENSIONS]; /* of those before, and with carry() of all */
    int64_t scales;                  /* of the last few: all of them */
    int n;                           /* of the last few: how many */
    struct recent recent[RECENT];    /* of the last few: in no part yet */
    struct tally grams;              /* rows that are in no part yet: n-grams of unknown words */
    const struct cancel *cancel;
};

static void add_recent(struct sum *sum, struct recent *recent)
{
    int32_t scale = table_scale(recent->row) * recent->count;
    vector_add_where(sum->part, table_signs(recent->row), scale, TABLE_DIMENSIONS);
    sum->scales += scale;
    recent->count = 0;
}

static void carry(struct sum *sum)
{
    for (size_t i = 0; i < RECENT; i++)
        if (sum->recent[i].count > 0) add_recent(sum, &sum->recent[i]);
    for (size_t i = 0; i < TABLE_DIMENSIONS; i++)
        sum->whole[i] += 2 * (int64_t)sum->part[i] - sum->scales;
    memset(sum->part, 0, sizeof sum->part);
    sum->scales = sum->n = 0;
}

/* The part is full. */
static int begin_part(struct sum *sum, struct error *err)
{
    carry(sum);
    return cancel_check(sum->cancel, err);
}

static int add_known(void *context, uint32_t row, struct error *err)
{
    struct sum *sum = context;
    struct recent *recent = &sum->recent[row % RECENT];
    if (recent->row != row) {
        if (recent->count > 0) add_recent(sum, recent);
        recent->row = row;
    }
    recent->count++;
    return ++sum->n < PART_ROWS ? 0 : begin_part(sum, err);
}

static int add_grams(struct sum *sum, struct error *err)
{
    int n = (int)sum->grams.n, rc = 0;
    if (n == 0) return 0;
    if (sum->n + n >= PART_ROWS) rc = begin_part(sum, err);
    tally_take(&sum->grams, UNKNOWN_SCALE, sum->part);
    sum->scales += (int64_t)n * UNKNOWN_SCALE;
    sum->n += n;
    return rc;
}

static int add_gram(void *context, uint64_t gram, struct error *err)
{
    struct sum *sum = context;
    uint64_t signs[TALLY_WORDS];
    unknown_signs(gram, (uint8_t *)signs);
    tally_add(&sum->grams, signs);
    return sum->grams.n < TALLY_MOST ? 0 : add_grams(sum, err);
}

static int add_unknown(void *context, struct span word, struct error *err)
{
    return unknown_grams(word, add_gram, context, err);
}

static int is_zero(const struct sum *sum)
{
    for (size_t i = 0; i < TABLE_DIMENSIONS; i++)
        if (sum->whole[i] != 0) return 0;
    return 1;
}

/* Sums are below 2^53, and so exact as doubles; their squares are added in one order. */
static void make_unit(const struct sum *sum, float *unit)
{
    double squares = 0.0;
    for (size_t i = 0; i < TABLE_DIMENSIONS; i++) {
        double component = (double)sum->whole[i];
        squares += component * component;
    }
    double norm = sqrt(squares);
    for (size_t i = 0; i < TABLE_DIMENSIONS; i++) unit[i] = (float)((double)sum->whole[i] / norm);
}

/* The sum of all rows, in sum->whole. */
static int finish(struct sum *sum, struct error *err)
{
    int rc = add_grams(sum, err);
    carry(sum);
    return rc;
}

/* What is nothing but marks that say nothing is what it is spelled. */
static int embed_text(struct pieces *pieces, struct sum *sum, struct span text, float *embedding,
                      struct error *err)
{
    memset(sum->whole, 0, sizeof sum->whole);
    int rc = pieces_read(pieces, text, err);
    if (rc == 0) rc = finish(sum, err);
    if (rc == 0 && is_zero(sum)) {
        rc = add_unknown(sum, (struct span){text.data, text.size < FALLBACK ? text.size : FALLBACK},
                         err);
        if (rc == 0) rc = finish(sum, err);
    }
    if (rc == 0) make_unit(sum, embedding);
    return rc;
}

/* ---- batches --------------------------------------------------------------------------------- */

struct embedded {
    struct model model;
    const size_t *n_threads; /* NULL: one */
};

/* Some of a call's texts. Threads take those whose pieces need no memory, the rest is the caller's.
 */
struct batch {
    const struct span *texts; /* [n] */
    size_t n;
    const struct cancel *cancel;
    float *embeddings; /* [n, TABLE_DIMENSIONS]; owned */
    char *is_done;     /* [n]; owned */
    atomic_size_t next;
    atomic_int is_stopped;
    int rc; /* of the caller's part */
    struct error *err;
};

/* The texts that are left: simple ones, by any thread, or all, by the caller. */
static int embed_left(struct batch *batch, int all, const struct cancel *cancel, struct error *err)
{
    struct sum sum = {.cancel = cancel};
    struct pieces_sink adding = {add_known, add_unknown, &sum};
    struct pieces pieces;
    size_t i;
    int rc = 0;
    pieces_init(&pieces, &adding, cancel);
    while (rc == 0 && !atomic_load(&batch->is_stopped) &&
           (i = atomic_fetch_add(&batch->next, 1)) < batch->n) {
        if (batch->is_done[i] || (!all && !pieces_is_simple(batch->texts[i]))) continue;
        rc = embed_text(&pieces, &sum, batch->texts[i], batch->embeddings + i * TABLE_DIMENSIONS,
                        err);
        batch->is_done[i] = 1;
    }
    if (all) pieces_deinit(&pieces);
    return rc;
}

/* Only the caller's thread may ask whether to go on. */
static void work(void *context, size_t number)
{
    struct batch *batch = context;
    int is_caller = number == 0;
    int rc = embed_left(batch, 0, is_caller ? batch->cancel : NULL, is_caller ? batch->err : NULL);
    if (rc != 0) atomic_store(&batch->is_stopped, 1);
    if (is_caller) batch->rc = rc;
}

static int embed_batch(struct batch *batch, size_t n_threads, const struct model_sink *sink,
                       size_t first, struct error *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < batch->n; i++) bytes += batch->texts[i].size;
    memset(batch->is_done, 0, batch->n);
    atomic_store(&batch->next, 0);
    if (n_threads > bytes / THREAD_BYTES + 1) n_threads = bytes / THREAD_BYTES + 1;
    if (n_threads > 1) workers_run(n_threads, work, batch);
    atomic_store(&batch->next, 0);
    int rc = batch->rc == 0 ? embed_left(batch, 1, batch->cancel, err) : batch->rc;
    for (size_t i = 0; rc == 0 && i < batch->n; i++)
        rc = sink->put(sink->context, first + i, batch->embeddings + i * TABLE_DIMENSIONS,
                       TABLE_DIMENSIONS, err);
    return rc;
}

static int embed(struct model *model, const struct model_texts *texts,
                 const struct model_sink *sink, struct model_usage *usage, struct error *err)
{
    const struct embedded *embedded = (const struct embedded *)model;
    size_t n_threads = embedded->n_threads == NULL ? 1 : *embedded->n_threads;
    size_t most = texts->n_texts < BATCH_SIZE ? texts->n_texts : BATCH_SIZE;
    struct batch batch = {.cancel = texts->cancel, .err = err};
    batch.embeddings = memory_alloc(most, TABLE_DIMENSIONS * sizeof *batch.embeddings);
    batch.is_done = memory_alloc(most, 1);
    int rc = batch.embeddings == NULL || batch.is_done == NULL ? error_nomem(err) : 0;
    usage->requests += (texts->n_texts + BATCH_SIZE - 1) / BATCH_SIZE;
    for (size_t i = 0; rc == 0 && i < texts->n_texts; i += batch.n) {
        batch.texts = texts->texts + i;
        batch.n = texts->n_texts - i < BATCH_SIZE ? texts->n_texts - i : BATCH_SIZE;
        rc = embed_batch(&batch, n_threads, sink, i, err);
    }
    memory_free(batch.embeddings);
    memory_free(batch.is_done);
    return rc;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static int put_known(void *context, uint32_t row, struct error *err)
{
    return tokens_put(context, table_id(row), 0, err);
}

static int put_unknown(void *context, struct span word, struct error *err)
{
    (void)word;
    return tokens_put(context, UNKNOWN_ID, 0, err);
}

/* Pieces, by their numbers in BERT's vocabulary. */
static int tokenize(struct model *model, struct span text, const struct cancel *cancel, int ids,
                    struct model_tokens *out, struct error *err)
{
    struct tokens tokens;
    struct pieces_sink putting = {put_known, put_unknown, &tokens};
    struct pieces pieces;
    (void)model;
    tokens_init(&tokens);
    pieces_init(&pieces, &putting, cancel);
    int rc = pieces_read(&pieces, text, err);
    if (rc == 0) {
        out->n = tokens.n;
        if (ids) {
            out->ids = tokens.ids;
            tokens.ids = NULL;
        }
    }
    pieces_deinit(&pieces);
    tokens_deinit(&tokens);
    return rc;
}

/* ---- sense ----------------------------------------------------------------------------------- */

/* What a query has: a piece that is no mark, or n-grams of unknown words, which a text may have. */
struct sense {
    int has;
    uint64_t grams[MAX_GRAMS];
    size_t n_grams;
};

static int note_known(void *context, uint32_t row, struct error *err)
{
    struct span piece = table_piece(row);
    struct sense *sense = context;
    unsigned char last = (unsigned char)piece.data[piece.size - 1];
    (void)err;
    if (last >= 0x80 || (last >= '0' && last <= '9') || (last >= 'a' && last <= 'z'))
        sense->has = 1;
    return 0;
}

static int note_gram(void *context, uint64_t gram, struct error *err)
{
    struct sense *sense = context;
    (void)err;
    if (sense->n_grams < MAX_GRAMS) sense->grams[sense->n_grams++] = gram;
    return 0;
}

static int note_unknown(void *context, struct span word, struct error *err)
{
    return unknown_grams(word, note_gram, context, err);
}

static int pass_known(void *context, uint32_t row, struct error *err)
{
    (void)context;
    (void)row;
    (void)err;
    return 0;
}

static int look_for_gram(void *context, uint64_t gram, struct error *err)
{
    struct sense *sense = context;
    (void)err;
    for (size_t i = 0; !sense->has && i < sense->n_grams; i++) sense->has = sense->grams[i] == gram;
    return 0;
}

static int look_for_unknown(void *context, struct span word, struct error *err)
{
    return unknown_grams(word, look_for_gram, context, err);
}

static int has_sense(struct model *model, struct span query, const struct span *texts,
                     size_t n_texts, const struct cancel *cancel, int *has, struct error *err)
{
    struct sense sense = {0};
    struct pieces_sink noting = {note_known, note_unknown, &sense};
    struct pieces_sink looking = {pass_known, look_for_unknown, &sense};
    struct pieces pieces;
    (void)model;
    pieces_init(&pieces, &noting, cancel);
    int rc = pieces_read(&pieces, query, err);
    pieces.sink = &looking;
    for (size_t i = 0; rc == 0 && !sense.has && sense.n_grams > 0 && i < n_texts; i++)
        rc = pieces_read(&pieces, texts[i], err);
    pieces_deinit(&pieces);
    *has = sense.has;
    return rc;
}

/* ---- what it knows --------------------------------------------------------------------------- */

/* Words, and which of them the table has in one piece. */
struct knowing {
    size_t n_words, n_whole;
    int is_whole; /* the last word was so far */
};

static int count_known(void *context, uint32_t row, struct error *err)
{
    struct knowing *knowing = context;
    struct span piece = table_piece(row);
    int goes_on = piece.size > 2 && piece.data[0] == '#';
    (void)err;
    if (goes_on && knowing->is_whole) knowing->n_whole--;
    if (!goes_on) knowing->n_words++, knowing->n_whole++;
    knowing->is_whole = !goes_on;
    return 0;
}

static int count_unknown(void *context, struct span word, struct error *err)
{
    struct knowing *knowing = context;
    (void)word;
    (void)err;
    knowing->n_words++;
    knowing->is_whole = 0;
    return 0;
}

/* Marks count as words. */
static int knows(struct model *model, struct span query, const struct cancel *cancel, double *share,
                 struct error *err)
{
    struct knowing knowing = {0};
    struct pieces_sink counting = {count_known, count_unknown, &knowing};
    struct pieces pieces;
    (void)model;
    pieces_init(&pieces, &counting, cancel);
    int rc = pieces_read(&pieces, query, err);
    pieces_deinit(&pieces);
    *share = knowing.n_words == 0 ? 0.0 : (double)knowing.n_whole / (double)knowing.n_words;
    return rc;
}

/* ---- rarity ---------------------------------------------------------------------------------- */

/* Words that are known and others are compared with what is usual of a rare one. */
#define UNKNOWN_IDF 5.0
#define LEAST_IDF 0.1

/* A query while each of its words is weighed. */
struct weighing {
    const struct model_rarity *rarity;
    double whole[TABLE_DIMENSIONS], word[TABLE_DIMENSIONS]; /* sums of rows; of the last word */
    double here, learnt; /* how rare the last word is: there, 0: not known; its rarest piece */
    int is_known;        /* of some word it is */
};

/* A word counts once where it is as rare there as in the texts of training. */
static void end_word(struct weighing *weighing)
{
    double weight = 1.0;
    if (weighing->here > 0.0) {
        weight = (1.0 + weighing->here / fmax(weighing->learnt, LEAST_IDF)) / 2.0;
        weighing->is_known = 1;
    }
    for (size_t i = 0; i < TABLE_DIMENSIONS; i++) {
        weighing->whole[i] += weight * weighing->word[i];
        weighing->word[i] = 0.0;
    }
    weighing->here = weighing->learnt = 0.0;
}

static void add_signs(struct weighing *weighing, const uint8_t *signs, double scale)
{
    for (size_t i = 0; i < TABLE_DIMENSIONS; i++)
        weighing->word[i] += signs[i / 8] >> i % 8 & 1 ? scale : -scale;
}

static int weigh_word(void *context, struct span word, struct error *err)
{
    struct weighing *weighing = context;
    end_word(weighing);
    return weighing->rarity->find(weighing->rarity->context, word, &weighing->here, err);
}

static int weigh_known(void *context, uint32_t row, struct error *err)
{
    struct weighing *weighing = context;
    (void)err;
    add_signs(weighing, table_signs(row), table_scale(row));
    weighing->learnt = fmax(weighing->learnt, table_idf(row));
    return 0;
}

static int weigh_gram(void *context, uint64_t gram, struct error *err)
{
    uint8_t signs[TABLE_ROW_BYTES];
    (void)err;
    unknown_signs(gram, signs);
    add_signs(context, signs, UNKNOWN_SCALE);
    return 0;
}

static int weigh_unknown(void *context, struct span word, struct error *err)
{
    struct weighing *weighing = context;
    weighing->learnt = UNKNOWN_IDF;
    return unknown_grams(word, weigh_gram, context, err);
}

static int embed_by_rarity(struct model *model, struct span query,
                           const struct model_rarity *rarity, const struct cancel *cancel,
                           float *embedding, struct error *err)
{
    struct weighing weighing = {.rarity = rarity};
    struct pieces_sink sink = {weigh_known, weigh_unknown, &weighing};
    struct pieces pieces;
    double squares = 0.0;
    (void)model;
    pieces_init(&pieces, &sink, cancel);
    pieces.word = weigh_word;
    int rc = pieces_read(&pieces, query, err);
    pieces_deinit(&pieces);
    end_word(&weighing);
    for (size_t i = 0; i < TABLE_DIMENSIONS; i++) squares += weighing.whole[i] * weighing.whole[i];
    if (rc != 0 || !weighing.is_known || squares <= 0.0) return rc;
    double norm = sqrt(squares);
    for (size_t i = 0; i < TABLE_DIMENSIONS; i++) embedding[i] = (float)(weighing.whole[i] / norm);
    return 0;
}

/* ---- the model ------------------------------------------------------------------------------- */

static int fingerprint(struct model *model, const struct cancel *cancel, uint64_t *number,
                       struct error *err)
{
    uint64_t hash = table_hash();
    (void)model;
    (void)cancel;
    (void)err;
    *number = hash_bytes(&hash, sizeof hash, METHOD);
    return 0;
}

static void free_model(struct model *model)
{
    memory_free(model);
}

static const struct model_methods methods = {.embed = embed,
                                             .tokenize = tokenize,
                                             .fingerprint = fingerprint,
                                             .has_sense = has_sense,
                                             .knows = knows,
                                             .embed_by_rarity = embed_by_rarity,
                                             .free = free_model};

int embedded_new(struct model **model, struct error *err)
{
    struct embedded *embedded = memory_zalloc(1, sizeof *embedded);
    *model = embedded == NULL ? NULL : &embedded->model;
    if (embedded == NULL) return error_nomem(err);
    embedded->model = (struct model){.methods = &methods,
                                     .name = "builtin:static",
                                     .dimensions = TABLE_DIMENSIONS,
                                     .batch_size = BATCH_SIZE};
    return 0;
}

void embedded_use_threads(struct model *model, const size_t *n_threads)
{
    ((struct embedded *)model)->n_threads = n_threads;
}
