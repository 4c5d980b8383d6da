/*
 * word_index.h: an index X with words, made by hand, and random texts of few words.
 *
 * For one test program, which includes cmocka.h before.
 */
#ifndef TESTS_STORE_WORD_INDEX_H
#define TESTS_STORE_WORD_INDEX_H

#include <stdio.h>

#include "sqlite/fts5.h"
#include "sqlite/subword_tokenizer.h"
#include "store/tables.h"
#include "store/words_search.h"

static const struct store_options words_options = {INDEX_COSINE, INDEX_EXACT, 0, 0, INDEX_FLOAT32};

/* An index without rows, whose words are split by that tokenizer. */
static inline void words_create(struct tables *tables, const char *tokenizer)
{
    struct error err = {0};
    fts5_api *api;
    tables_create(tables, &words_options);
    assert_int_equal(fts5_find(tables->connection, &api, &err), 0);
    if (api == NULL) skip();
    assert_int_equal(subword_tokenizer_register(tables->connection), SQLITE_OK);
    char *sql = sqlite3_mprintf(
        "CREATE VIRTUAL TABLE X_fts USING fts5(text, content = '', tokenize = \"%w\");"
        "CREATE TABLE X_docs(doc INTEGER PRIMARY KEY, id INT UNIQUE);"
        "CREATE TABLE X_wordless(id INTEGER PRIMARY KEY);"
        "REPLACE INTO X_config VALUES ('lexical', %Q)",
        tokenizer, tokenizer);
    tables_execute(tables, sql);
    sqlite3_free(sql);
}

static inline void words_add(struct tables *tables, int64_t document, const char *text)
{
    char *sql = sqlite3_mprintf("INSERT INTO X_fts(rowid, text) VALUES (%lld, %Q)",
                                (long long)document, text);
    tables_execute(tables, sql);
    tables->write.has_words = 1;
    sqlite3_free(sql);
}

/* The same numbers after the same seed. */
static inline uint64_t words_random(uint64_t *seed, uint64_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (*seed >> 33) % below;
}

/* A word: the smaller its number, the more often. They have endings, so that porter has some to cut
 * off. */
static inline void words_word(uint64_t *seed, char *word, size_t size)
{
    static const char *const endings[] = {"", "s", "ing", "ed", "\xC3\xA9"};
    uint64_t rank = words_random(seed, 400);
    rank = rank * words_random(seed, 400) / 400;
    snprintf(word, size, "w%c%c%s", 'a' + (char)(rank / 20), 'a' + (char)(rank % 20),
             endings[words_random(seed, 5)]);
}

static inline void words_text(uint64_t *seed, size_t n, char *text, size_t size)
{
    char word[32];
    text[0] = '\0';
    for (size_t i = 0, at = 0; i < n && at + sizeof word < size; i++) {
        words_word(seed, word, sizeof word);
        at += (size_t)snprintf(text + at, size - at, "%s%s", i == 0 ? "" : " ", word);
    }
}

static inline int words_open(struct words_search *search, struct tables *tables, const char *query,
                             struct error *err)
{
    return words_search_open(search, &tables->store, (struct span){query, strlen(query)}, err);
}

/* The ids that are found, best first, and of the other lists, ascending: "3 1 | must 1 3 | not 2".
 */
static inline void words_found(struct tables *tables, const char *query, char *text, size_t size)
{
    struct words_search search;
    struct words_match match;
    struct error err = {0};
    int found = 1;
    size_t at = 0;
    text[0] = '\0';
    if (words_open(&search, tables, query, &err) != 0) fail_msg("%s: %s", query, err.text);
    while (words_search_next(&search, &match, &found, &err) == 0 && found)
        at += (size_t)snprintf(text + at, size - at, "%s%lld", at == 0 ? "" : " ",
                               (long long)match.id);
    assert_int_equal(err.code, 0);
    for (size_t i = 0; i < search.must.n || (i == 0 && search.has_must); i++) {
        if (i == 0) at += (size_t)snprintf(text + at, size - at, " | must");
        if (search.must.n > 0)
            at += (size_t)snprintf(text + at, size - at, " %lld", (long long)search.must.items[i]);
    }
    for (size_t i = 0; i < search.excluded.n; i++)
        at += (size_t)snprintf(text + at, size - at, "%s %lld", i == 0 ? " | not" : "",
                               (long long)search.excluded.items[i]);
    assert_true(at < size);
    words_search_deinit(&search);
}

static inline void words_check(struct tables *tables, const char *query, const char *expected)
{
    char text[1024];
    words_found(tables, query, text, sizeof text);
    if (strcmp(text, expected) != 0) fail_msg("%s: found %s, expected %s", query, text, expected);
}

#endif
