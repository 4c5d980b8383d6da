#include "store/words_proof.h"

#include <string.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/memory.h"
#include "sqlite/fts5.h"
#include "store/statements.h"
#include "store/words.h"
#include "store/words_documents.h"
#include "store/words_lengths.h"

#define CURE "('optimize' writes them anew)"

#define FIRST_CAPACITY ((size_t)256)

/* Words that are looked up together, each in quotes, some of which are doubled. */
#define MOST_PHRASES 64
#define MOST_MATCH ((size_t)MOST_PHRASES * (2 * WORDS_PROOF_BYTES + 6))

#define STEPS_BETWEEN_CHECKS 4096

/* A word: where it stands in the texts. */
struct term {
    uint64_t hash;
    uint64_t sum;     /* of its places */
    int64_t document; /* the last of them */
    size_t position;
    uint64_t n_places;             /* 0: nothing is here */
    unsigned char size;            /* 0: it cannot be asked for */
    char asked[WORDS_PROOF_BYTES]; /* what a query says for it */
};

struct words_proof {
    struct store *store;
    struct words_documents documents;
    struct fts5_splitter texts, queries; /* one each, as one is asked while the other runs */
    struct term *terms;                  /* [capacity] by their hashes; a power of two; owned */
    size_t capacity, n_terms;
    uint64_t left_out; /* bits that are zero in the hash of all words that are looked up */
    struct ids proven; /* documents whose texts were read */
    /* Of the text that is being read. */
    int64_t document;
    struct span text;
    size_t n_tokens, n_seen;
};

static int corrupt(const struct words_proof *proof, const char *what, struct error *err)
{
    return error_set(err, ERROR_CORRUPT, "the words of %s: %s " CURE, proof->store->name, what);
}

/* ---- lengths --------------------------------------------------------------------------------- */

static int read_length(const struct words_proof *proof, sqlite3_stmt *row, int64_t *length,
                       struct error *err)
{
    const void *bytes;
    size_t size;
    int rc = statement_column_bytes(row, 0, &bytes, &size, err);
    if (rc != 0) return rc;
    return words_lengths_read(bytes, size, length)
               ? 0
               : corrupt(proof, "the length of a text is not there", err);
}

/* Of the document that is being read. *found = 0: it is not there. */
static int find_length(struct words_proof *proof, int64_t *length, int *found, struct error *err)
{
    sqlite3_stmt *row;
    int rc = store_look_up(proof->store, KEPT_WORDS_LENGTH, proof->document, &row, found, err);
    if (rc != 0 || !*found) return rc;
    rc = read_length(proof, row, length, err);
    sqlite3_reset(row);
    return rc;
}

/* How many documents there are, dead ones too, and their tokens together. */
static int sum_lengths(struct words_proof *proof, int64_t *n, int64_t *sum, struct error *err)
{
    struct store *store = proof->store;
    sqlite3_stmt *all;
    int row = 0;
    int64_t length = 0;
    *n = *sum = 0;
    int rc = statement_prepare(store->db, &all, err, "SELECT sz FROM \"%w\".\"%w_fts_docsize\"",
                               store->schema, store->name);
    while (rc == 0 && (rc = statement_step(store->db, all, &row, err)) == 0 && row) {
        rc = read_length(proof, all, &length, err);
        if (rc == 0 && ++*n % STEPS_BETWEEN_CHECKS == 0) rc = cancel_check(store->cancel, err);
        *sum += length;
    }
    sqlite3_finalize(all);
    return rc;
}

/* ---- begin and end --------------------------------------------------------------------------- */

int words_proof_open(struct store *store, struct words_proof **opened, struct error *err)
{
    struct words_proof *proof = memory_zalloc(1, sizeof *proof);
    *opened = NULL;
    if (proof == NULL) return error_nomem(err);
    proof->store = store;
    words_documents_open(&proof->documents, store);
    int rc = fts5_splitter_open(&proof->texts, store->connection, store->tokenizer, err);
    if (rc == 0) rc = fts5_splitter_open(&proof->queries, store->connection, store->tokenizer, err);
    if (rc == 0) *opened = proof;
    else words_proof_close(proof);
    return rc;
}

void words_proof_close(struct words_proof *proof)
{
    if (proof == NULL) return;
    words_documents_close(&proof->documents);
    fts5_splitter_close(&proof->texts);
    fts5_splitter_close(&proof->queries);
    memory_free(proof->terms);
    ids_deinit(&proof->proven);
    memory_free(proof);
}

/* ---- words of texts -------------------------------------------------------------------------- */

/* The place of a word, or where it belongs. */
static struct term *find(struct term *terms, size_t capacity, uint64_t hash)
{
    size_t at = (size_t)(hash >> 32) & (capacity - 1);
    while (terms[at].n_places > 0 && terms[at].hash != hash) at = (at + 1) & (capacity - 1);
    return &terms[at];
}

/* Makes room for one more: a larger table, or fewer words. */
static int make_room(struct words_proof *proof, struct error *err)
{
    size_t capacity = proof->capacity == 0 ? FIRST_CAPACITY : proof->capacity;
    if (2 * proof->n_terms < proof->capacity) return 0;
    if (proof->n_terms >= WORDS_PROOF_TERMS) proof->left_out = 2 * proof->left_out + 1;
    else if (proof->capacity > 0) capacity *= 2;
    struct term *terms = memory_zalloc(capacity, sizeof *terms);
    if (terms == NULL) return error_nomem(err);
    proof->n_terms = 0;
    for (size_t i = 0; i < proof->capacity; i++) {
        const struct term *term = &proof->terms[i];
        if (term->n_places == 0 || (term->hash & proof->left_out) != 0) continue;
        *find(terms, capacity, term->hash) = *term;
        proof->n_terms++;
    }
    memory_free(proof->terms);
    proof->terms = terms;
    proof->capacity = capacity;
    return 0;
}

/* Whether a query's tokens are one: that word. */
struct question {
    struct span word;
    size_t n_tokens;
    int is_it;
};

static int compare_token(void *context, const struct fts5_token *token, struct error *err)
{
    struct question *question = context;
    struct span word = question->word;
    (void)err;
    question->is_it = ++question->n_tokens == 1 && token->token.size == word.size &&
                      memcmp(token->token.data, word.data, word.size) == 0;
    return question->is_it ? 0 : FTS5_ENOUGH;
}

static int try_to_ask(struct words_proof *proof, struct span asked, struct span word,
                      struct term *term, struct error *err)
{
    struct question question = {.word = word};
    if (asked.size == 0 || asked.size > WORDS_PROOF_BYTES || term->size > 0) return 0;
    if (memchr(asked.data, '\0', asked.size) != NULL) return 0;
    int rc = fts5_splitter_run(&proof->queries, FTS5_TOKENIZE_QUERY, asked, compare_token,
                               &question, err);
    if (rc != 0 || !question.is_it) return rc;
    term->size = (unsigned char)asked.size;
    memcpy(term->asked, asked.data, asked.size);
    return 0;
}

/* By the word itself, or by what it was made of. */
static int add_term(struct words_proof *proof, const struct fts5_token *token, struct term *term,
                    struct error *err)
{
    struct span piece = {proof->text.data + token->start, token->end - token->start};
    int rc = try_to_ask(proof, token->token, token->token, term, err);
    if (rc == 0) rc = try_to_ask(proof, piece, token->token, term, err);
    proof->n_terms += rc == 0;
    return rc;
}

/* What a place is in a sum. */
static uint64_t hash_place(int64_t document, size_t position)
{
    const uint64_t place[] = {(uint64_t)document, position};
    return hash_bytes(place, sizeof place, 0);
}

static int take_token(void *context, const struct fts5_token *token, struct error *err)
{
    struct words_proof *proof = context;
    uint64_t hash = hash_bytes(token->token.data, token->token.size, 0);
    int rc = 0;
    proof->n_tokens = token->position + 1;
    if (++proof->n_seen % STEPS_BETWEEN_CHECKS == 0) rc = cancel_check(proof->store->cancel, err);
    if (rc == 0) rc = make_room(proof, err);
    if (rc != 0 || (hash & proof->left_out) != 0) return rc;
    struct term *term = find(proof->terms, proof->capacity, hash);
    /* Synonyms may be the same word, of which FTS5 keeps one or all. */
    if (term->n_places > 0 && term->document == proof->document &&
        term->position == token->position)
        return 0;
    term->hash = hash;
    if (term->n_places == 0) rc = add_term(proof, token, term, err);
    if (rc != 0) return rc;
    term->n_places++;
    term->document = proof->document;
    term->position = token->position;
    term->sum += hash_place(term->document, term->position);
    return 0;
}

static int check_length(const struct words_proof *proof, int64_t id, int64_t length,
                        struct error *err)
{
    if (length == (int64_t)proof->n_tokens) return 0;
    return error_set(err, ERROR_CORRUPT,
                     "the words of %s: row %lld has %zu, and is said to have %lld " CURE,
                     proof->store->name, (long long)id, proof->n_tokens, (long long)length);
}

int words_proof_add(struct words_proof *proof, int64_t id, struct span text, struct error *err)
{
    int found;
    int64_t length = 0;
    int rc = words_documents_of_row(&proof->documents, id, &proof->document, &found, err);
    if (rc == 0 && found) rc = find_length(proof, &length, &found, err);
    if (rc != 0 || !found) return words_explain(proof->store, rc, err);
    proof->text = text;
    proof->n_tokens = 0;
    rc = fts5_splitter_run(&proof->texts, FTS5_TOKENIZE_DOCUMENT, text, take_token, proof, err);
    if (rc == 0) rc = check_length(proof, id, length, err);
    return rc == 0 ? ids_add(&proof->proven, proof->document, err) : rc;
}

/* ---- the same words, looked up --------------------------------------------------------------- */

/* Of some words. */
struct lookup {
    struct words_proof *proof;
    const struct term *terms[MOST_PHRASES]; /* [n] */
    size_t n;
    uint64_t sums[MOST_PHRASES]; /* of the places that are found */
    struct buffer match;
    int has_totals; /* what FTS5 counts: */
    int64_t n_documents, n_tokens;
    /* The word that is being looked up. */
    uint64_t *sum;
    size_t at, n_seen; /* at: in proof->proven, whose documents before it are passed */
    int rc;
    struct error *err;
};

static int take_row(const Fts5ExtensionApi *api, Fts5Context *row, void *context)
{
    struct lookup *lookup = context;
    const struct ids *proven = &lookup->proof->proven;
    int64_t document = api->xRowid(row);
    Fts5PhraseIter at;
    int column, offset, last = -1;
    if (++lookup->n_seen % STEPS_BETWEEN_CHECKS == 0 &&
        (lookup->rc = cancel_check(lookup->proof->store->cancel, lookup->err)) != 0)
        return SQLITE_ABORT;
    while (lookup->at < proven->n && proven->items[lookup->at] < document) lookup->at++;
    if (lookup->at == proven->n) return SQLITE_DONE;
    if (proven->items[lookup->at] != document) return SQLITE_OK;
    int code = api->xPhraseFirst(row, 0, &at, &column, &offset);
    if (code != SQLITE_OK) return code;
    for (; column >= 0; api->xPhraseNext(row, &at, &column, &offset)) {
        if (offset != last) *lookup->sum += hash_place(document, (size_t)offset);
        last = offset;
    }
    return SQLITE_OK;
}

static int visit(void *context, const Fts5ExtensionApi *api, Fts5Context *row, struct error *err)
{
    struct lookup *lookup = context;
    sqlite3_int64 n_documents = 0, n_tokens = 0;
    int code = api->xRowCount(row, &n_documents);
    if (code == SQLITE_OK) code = api->xColumnTotalSize(row, -1, &n_tokens);
    lookup->has_totals = 1;
    lookup->n_documents = n_documents;
    lookup->n_tokens = n_tokens;
    lookup->err = err;
    for (size_t i = 0; code == SQLITE_OK && i < lookup->n; i++) {
        lookup->at = 0;
        lookup->sum = &lookup->sums[i];
        code = api->xQueryPhrase(row, (int)i, lookup, take_row);
        if (lookup->rc != 0) return lookup->rc;
    }
    return code == SQLITE_OK ? 0 : fts5_error(code, err);
}

static int compare(const struct lookup *lookup, struct error *err)
{
    const struct words_proof *proof = lookup->proof;
    for (size_t i = 0; i < lookup->n; i++) {
        const struct term *term = lookup->terms[i];
        if (lookup->sums[i] == term->sum) continue;
        return error_set(err, ERROR_CORRUPT,
                         "the words of %s: '%.*s' is found in other places than its texts have "
                         "it " CURE,
                         proof->store->name, (int)term->size, term->asked);
    }
    return 0;
}

/* Looks up the words that were collected, and begins with others. */
static int look_up(struct lookup *lookup, struct error *err)
{
    struct store *store = lookup->proof->store;
    if (lookup->n == 0) return 0;
    char *table = sqlite3_mprintf("%s_fts", store->name);
    int rc = table == NULL ? error_nomem(err) : buffer_append(&lookup->match, "", 1, err);
    memset(lookup->sums, 0, sizeof lookup->sums);
    if (rc == 0)
        rc = fts5_visit(store->connection, store->schema, table, lookup->match.data, visit, lookup,
                        err);
    sqlite3_free(table);
    if (rc == 0) rc = compare(lookup, err);
    buffer_clear(&lookup->match);
    lookup->n = 0;
    return rc;
}

static int collect(struct lookup *lookup, const struct term *term, struct error *err)
{
    struct buffer *match = &lookup->match;
    int rc = lookup->n == 0 ? 0 : buffer_append(match, " OR ", 4, err);
    if (rc == 0) rc = buffer_append(match, "\"", 1, err);
    for (size_t i = 0; rc == 0 && i < term->size; i++) {
        if (term->asked[i] == '"') rc = buffer_append(match, "\"", 1, err);
        if (rc == 0) rc = buffer_append(match, &term->asked[i], 1, err);
    }
    if (rc == 0) rc = buffer_append(match, "\"", 1, err);
    lookup->terms[lookup->n++] = term;
    return rc == 0 && lookup->n == MOST_PHRASES ? look_up(lookup, err) : rc;
}

/* FTS5's counts are those of its table of lengths, dead documents included. */
static int check_totals(const struct lookup *lookup, struct error *err)
{
    int64_t n_documents, n_tokens;
    if (!lookup->has_totals) return 0;
    int rc = sum_lengths(lookup->proof, &n_documents, &n_tokens, err);
    if (rc != 0 || (n_documents == lookup->n_documents && n_tokens == lookup->n_tokens)) return rc;
    return corrupt(lookup->proof, "FTS5 counts others than it has", err);
}

int words_proof_end(struct words_proof *proof, struct error *err)
{
    struct lookup lookup = {.proof = proof};
    int rc = 0;
    buffer_init(&lookup.match, MOST_MATCH);
    ids_sort(&proof->proven);
    for (size_t i = 0; rc == 0 && i < proof->capacity; i++)
        if (proof->terms[i].size > 0) rc = collect(&lookup, &proof->terms[i], err);
    if (rc == 0) rc = look_up(&lookup, err);
    if (rc == 0) rc = check_totals(&lookup, err);
    buffer_deinit(&lookup.match);
    return words_explain(proof->store, rc, err);
}
