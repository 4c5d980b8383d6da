#include "lexical/query.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "lexical/features.h"

#define FUZZY_LEAST 0.45 /* less alike counts nothing */
#define WORDS_PER_POLL 256
#define NEAR 8 /* words apart at which proximity has faded to nothing */

/* A trigram as one of 64. */
static unsigned trigram_bit(const char *letters)
{
    uint32_t packed = (uint32_t)(unsigned char)letters[0] << 16 |
                      (uint32_t)(unsigned char)letters[1] << 8 | (unsigned char)letters[2];
    return packed * 2654435761u >> 26;
}

/* One bit of 64 for each trigram of a word: words without a common bit have no common trigram. */
static uint64_t trigram_bits(const char *word, size_t size)
{
    uint64_t bits = 0;
    for (size_t i = 0; i + 3 <= size; i++) bits |= (uint64_t)1 << trigram_bit(word + i);
    return bits;
}

static void add_term(struct lexical_query *query, struct span word)
{
    uint64_t hash = feature_of_word(word);
    for (size_t i = 0; i < query->n_terms; i++)
        if (query->terms[i].hash == hash) return;
    struct lexical_term *term = &query->terms[query->n_terms++];
    *term = (struct lexical_term){
        .hash = hash, .size = word.size, .trigrams = trigram_bits(word.data, word.size)};
    memcpy(term->word, word.data, word.size);
}

/* A whole that stands beside its parts, the latest terms: finding it is finding them. */
static void add_whole(struct lexical_query *query, struct span whole)
{
    size_t left = whole.size, n = query->n_terms;
    for (size_t i = 0; i < whole.size; i++) left -= whole.data[i] == '.';
    while (n > 0 && left >= query->terms[n - 1].size) left -= query->terms[--n].size;
    if (left > 0 || query->n_terms - n < 2) return;
    for (; n < query->n_terms; n++) query->terms[n].whole = feature_of_word(whole);
}

/* The query's words, each stem once, stop words only if there is nothing else; of a long query the
 * first. */
int lexical_query_read(struct lexical_query *query, struct span text, struct error *err)
{
    int rc = words_split(&query->words, text, err);
    for (int stop_words = 0; rc == 0 && stop_words < 2 && query->n_terms == 0; stop_words++) {
        query->stop_words = stop_words;
        for (size_t i = 0; i < query->words.n && query->n_terms < LEXICAL_QUERY_TERMS; i++) {
            struct span word = words_get(&query->words, i);
            if (query->words.items[i].kind >= WORD_PART) add_whole(query, word);
            else if (stop_words || !word_is_stop(word)) add_term(query, word);
        }
    }
    return rc;
}

/* Dice's coefficient of the trigrams of two words, [0, 1]; each trigram is shared once. */
static double dice(const char *a, size_t n, const char *b, size_t m)
{
    _Static_assert(WORD_MAX_BYTES <= 64, "one bit for each trigram of a word");
    if (n < 3 || m < 3) return 0;
    size_t shared = 0;
    uint64_t taken = 0;
    for (size_t i = 0; i + 3 <= n; i++)
        for (size_t j = 0; j + 3 <= m; j++)
            if (!(taken >> j & 1) && memcmp(a + i, b + j, 3) == 0) {
                taken |= (uint64_t)1 << j;
                shared++;
                break;
            }
    return 2.0 * (double)shared / (double)(n + m - 4);
}

static int is_affix(const char *longer, size_t n, const char *shorter, size_t m)
{
    return memcmp(longer, shorter, m) == 0 || memcmp(longer + n - m, shorter, m) == 0;
}

/* Plural and possessive endings are no part of what words have in common. */
static size_t without_plural(const char *word, size_t size)
{
    return size > 3 && word[size - 1] == 's' && word[size - 2] != 's' ? size - 1 : size;
}

/* How alike two words are, [0, 1], where that is more than `least`, else no more than that: one
 * begins or ends with the other, or they share trigrams, `common` of them at most. */
static double likeness(const struct lexical_term *term, struct span word, size_t common,
                       double least)
{
    size_t n = without_plural(term->word, term->size), m = without_plural(word.data, word.size);
    const char *longer = n >= m ? term->word : word.data,
               *shorter = n >= m ? word.data : term->word;
    size_t more = n >= m ? n : m, fewer = n >= m ? m : n;
    double alike = 0;
    if (fewer < 3) return 0;
    if (2.0 * (double)common / (double)(n + m - 4) > least)
        alike = dice(term->word, n, word.data, m);
    if (is_affix(longer, more, shorter, fewer))
        alike = fmax(alike, 0.5 + 0.5 * (double)fewer / (double)more);
    return alike;
}

static int is_in_window(const struct lexical_term *term, size_t position)
{
    return term->window_likeness > 0 && position - term->window_last < LEXICAL_WINDOW;
}

/* The window that ends here. */
static void measure_window(struct lexical_query *query, size_t i, size_t position, double alike)
{
    struct lexical_term *term = &query->terms[i];
    double sum = 0;
    if (!is_in_window(term, position) || alike >= term->window_likeness) {
        term->window_likeness = alike;
        term->window_last = position;
    }
    for (size_t j = 0; j < query->n_terms; j++)
        if (is_in_window(&query->terms[j], position))
            sum += query->terms[j].weight * query->terms[j].window_likeness;
    if (sum > query->window) query->window = sum;
}

static void meet(struct lexical_query *query, size_t i, size_t position, double alike)
{
    struct lexical_term *term = &query->terms[i];
    if (alike > term->likeness) term->likeness = alike;
    term->count += alike;
    term->last = position;
    if (term->weight > 0) measure_window(query, i, position, alike);
    for (int side = -1; side <= 1; side += 2) {
        if ((side < 0 && i == 0) || (side > 0 && i + 1 == query->n_terms)) continue;
        struct lexical_term *other = &query->terms[side < 0 ? i - 1 : i + 1];
        if (other->count <= 0 || other->last == position) continue;
        double near = 1.0 - (double)(position - other->last - 1) / NEAR;
        struct lexical_term *later = side < 0 ? term : other;
        if (near > later->nearness) later->nearness = near;
    }
}

/* The most alike of all terms. */
static void find_alike(const struct lexical_query *query, struct span word,
                       struct lexical_known *known)
{
    unsigned char bits[WORD_MAX_BYTES];
    size_t n_bits = word.size < 3 ? 0 : word.size - 2;
    for (size_t i = 0; i < n_bits; i++) bits[i] = (unsigned char)trigram_bit(word.data + i);
    known->alike = FUZZY_LEAST;
    known->term = query->n_terms;
    for (size_t i = 0; i < query->n_terms; i++) {
        size_t common = 0;
        for (size_t j = 0; j < n_bits; j++) common += query->terms[i].trigrams >> bits[j] & 1;
        if (common == 0) continue;
        double alike = likeness(&query->terms[i], word, common, known->alike);
        if (alike <= known->alike) continue;
        known->alike = alike;
        known->term = i;
    }
}

/* What the query has to do with a word: texts repeat their words. */
static const struct lexical_known *know(struct lexical_query *query, struct span word)
{
    uint64_t hash = hash_bytes(word.data, word.size, 0);
    struct lexical_known *known = &query->known[hash % LEXICAL_KNOWN_WORDS];
    if (known->size == word.size && known->hash == hash) return known;
    *known = (struct lexical_known){.hash = hash,
                                    .size = word.size,
                                    .stem = feature_of_word(word),
                                    .is_stop = word_is_stop(word)};
    for (size_t i = 0; i < query->n_terms; i++)
        if (query->terms[i].hash == known->stem || query->terms[i].whole == known->stem)
            known->is_exact = 1;
    find_alike(query, word, known);
    return known;
}

/* Whether the word is a term, or the compound of some: of one that stands beside its parts these
 * were met. */
static int meet_exactly(struct lexical_query *query, uint64_t stem, int is_beside, size_t position)
{
    int met = 0;
    for (size_t i = 0; i < query->n_terms; i++) {
        int is_term = query->terms[i].hash == stem;
        if (!is_term && (is_beside || query->terms[i].whole != stem)) continue;
        meet(query, i, position, 1.0);
        if (is_term) return 1;
        met = 1;
    }
    return met;
}

/* One word of the document against all terms: the exact one, else the most alike. What stands
 * beside a word, and a cluster of letters, is like nothing else. */
static void read_word(struct lexical_query *query, const struct lexical_known *known,
                      enum word_kind kind, size_t position)
{
    if (known->is_exact && meet_exactly(query, known->stem, kind >= WORD_PART, position)) return;
    if (kind < WORD_UNSPACED && known->term < query->n_terms)
        meet(query, known->term, position, known->alike * LEXICAL_FUZZY_WEIGHT);
}

int lexical_query_meet(struct lexical_query *query, struct span document, double *length,
                       struct error *err)
{
    for (size_t i = 0; i < query->n_terms; i++) {
        struct lexical_term *term = &query->terms[i];
        term->count = term->likeness = term->nearness = term->window_likeness = 0;
    }
    query->window = *length = 0;
    size_t position = 0;
    int rc = words_split(&query->words, document, err);
    for (size_t i = 0; rc == 0 && i < query->words.n; i++) {
        const struct lexical_known *known = know(query, words_get(&query->words, i));
        enum word_kind kind = query->words.items[i].kind;
        if (kind < WORD_PART) position++;
        if (!known->is_stop && kind < WORD_PART) ++*length;
        if (!known->is_stop || query->stop_words) read_word(query, known, kind, position);
        if (i % WORDS_PER_POLL == WORDS_PER_POLL - 1) rc = cancel_check(query->words.cancel, err);
    }
    return rc;
}

void lexical_query_share(struct lexical_query *query)
{
    double sum = 0;
    for (size_t i = 0; i < query->n_terms; i++) sum += query->terms[i].idf;
    for (size_t i = 0; i < query->n_terms; i++) query->terms[i].share = query->terms[i].idf / sum;
}

void lexical_query_init(struct lexical_query *query, enum words_rules rules,
                        const struct cancel *cancel)
{
    query->n_terms = 0;
    memset(query->known, 0, sizeof query->known);
    words_init(&query->words, rules, cancel);
}

void lexical_query_deinit(struct lexical_query *query)
{
    words_deinit(&query->words);
}
