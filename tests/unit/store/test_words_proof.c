/* The words of texts against what FTS5 says of them: every difference is found, and none is made
 * up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/each_allocation.h"
#include "store/word_index.h"
#include "store/words_proof.h"

enum { TEXT_SIZE = 1024 };

/* An index and the texts [n] of its rows, from 1 on. */
struct texts {
    struct tables tables;
    char (*texts)[TEXT_SIZE];
    size_t n;
};

static int prove(void *context, struct error *err)
{
    struct texts *texts = context;
    struct words_proof *proof;
    int rc = words_proof_open(&texts->tables.store, &proof, err);
    for (size_t i = 0; rc == 0 && i < texts->n; i++)
        rc = words_proof_add(proof, (int64_t)i + 1,
                             (struct span){texts->texts[i], strlen(texts->texts[i])}, err);
    if (rc == 0) rc = words_proof_end(proof, err);
    words_proof_close(proof);
    return rc;
}

static void create(struct texts *texts, const char *tokenizer, size_t n)
{
    *texts = (struct texts){.texts = calloc(n, TEXT_SIZE), .n = n};
    assert_non_null(texts->texts);
    words_create(&texts->tables, tokenizer);
    texts->tables.store.tokenizer = memory_copy(tokenizer, strlen(tokenizer));
}

static void destroy(struct texts *texts)
{
    tables_close(&texts->tables);
    free(texts->texts);
}

/* Random texts; of every tenth row another document than that of its number, which is dead, and of
 * the last none. */
static void fill(struct texts *texts, const char *tokenizer, size_t n)
{
    static const char odd[] =
        "\"C++\" don't e=mc2 v1.1.6 AND OR NOT NEAR(a b) r\xC3\xA9sum\xC3\xA9s "
        "\xE6\x9D\xB1\xE4\xBA\xAC\xE9\x83\xBD\xE3\x81\xAE\xE7\x8C\xAB "
        "\xD1\x81\xD0\xB1\xD0\xBE\xD1\x80\xD0\xBD\xD0\xB8\xD0\xBA "
        "a_word_that_is_longer_than_all_that_are_ever_looked_up_by_it running runs ran";
    uint64_t seed = 7;
    create(texts, tokenizer, n);
    tables_execute(&texts->tables, "BEGIN");
    for (int i = 0; i < (int)n - 1; i++) {
        int document = i % 10 != 0 ? i + 1 : -i - 1;
        words_text(&seed, 1 + words_random(&seed, 40), texts->texts[i], TEXT_SIZE);
        if (i == 20 || i == 21) memcpy(texts->texts[i], odd, sizeof odd);
        words_add(&texts->tables, document, texts->texts[i]);
        if (document > 0) continue;
        words_add(&texts->tables, i + 1, "walk walks of old");
        char *sql = sqlite3_mprintf("INSERT INTO X_docs VALUES (%d, NULL), (%d, %d)", i + 1,
                                    document, i + 1);
        tables_execute(&texts->tables, sql);
        sqlite3_free(sql);
    }
    tables_execute(&texts->tables, "COMMIT");
    snprintf(texts->texts[n - 1], TEXT_SIZE, "a text without a document");
}

static void assert_right(struct texts *texts)
{
    struct error err = {0};
    if (prove(texts, &err) != 0) fail_msg("%s: %s", texts->tables.store.tokenizer, err.text);
}

static void assert_wrong(struct texts *texts, const char *sql, const char *message)
{
    struct error err = {0};
    tables_execute(&texts->tables, "BEGIN");
    tables_execute(&texts->tables, sql);
    if (prove(texts, &err) != ERROR_CORRUPT || strstr(err.text, message) == NULL)
        fail_msg("%s: %s: %s", texts->tables.store.tokenizer, sql, err.text);
    assert_non_null(strstr(err.text, "('optimize' writes them anew)"));
    tables_execute(&texts->tables, "ROLLBACK");
}

static void test_tokenizers(void **state)
{
    static const char *const tokenizers[] = {"unicode61", "porter unicode61 remove_diacritics 2",
                                             "trigram", "rerank porter unicode61"};
    (void)state;
    for (size_t i = 0; i < sizeof tokenizers / sizeof *tokenizers; i++) {
        struct texts texts;
        fill(&texts, tokenizers[i], 25);
        assert_right(&texts);
        tables_execute(&texts.tables, "INSERT INTO X_fts(X_fts) VALUES ('optimize')");
        assert_right(&texts);
        texts.texts[6][2] = texts.texts[6][2] == 'q' ? 'r' : 'q';
        assert_wrong(&texts, "SELECT 1", "is found in other places");
        destroy(&texts);
    }
}

static void test_damage(void **state)
{
    static const char elsewhere[] = "is found in other places than its texts have it";
    struct texts texts;
    (void)state;
    fill(&texts, "rerank unicode61", 120);
    assert_wrong(&texts, "UPDATE X_fts_docsize SET sz = x'8700' WHERE id = 5", "row 5 has ");
    assert_wrong(&texts, "UPDATE X_fts_docsize SET sz = x'8700' WHERE id = -11", "row 11 has ");
    assert_wrong(&texts, "UPDATE X_fts_docsize SET sz = x'8700' WHERE id = 11",
                 "FTS5 counts others than it has");
    assert_wrong(&texts, "DELETE FROM X_fts_docsize WHERE id = 11", "FTS5 counts others");
    assert_wrong(&texts, "DELETE FROM X_fts_idx", elsewhere);
    assert_wrong(&texts, "DELETE FROM X_fts_idx WHERE term = (SELECT max(term) FROM X_fts_idx)",
                 elsewhere);
    destroy(&texts);
}

/* Of more words than are looked up some are: of all pages. */
static void test_many_words(void **state)
{
    struct texts texts;
    char word[16];
    (void)state;
    create(&texts, "unicode61", 250);
    tables_execute(&texts.tables, "BEGIN");
    for (size_t i = 0, n = 0; i < texts.n; i++) {
        for (size_t j = 0; j < 80; j++) {
            snprintf(word, sizeof word, "w%zu ", n++);
            strcat(texts.texts[i], word);
        }
        words_add(&texts.tables, (int64_t)i + 1, texts.texts[i]);
    }
    tables_execute(&texts.tables, "COMMIT");
    assert_right(&texts);
    assert_wrong(&texts,
                 "DELETE FROM X_fts_idx WHERE term = (SELECT term FROM X_fts_idx ORDER BY term "
                 "LIMIT 1 OFFSET 9)",
                 "is found in other places");
    destroy(&texts);
}

static void test_memory(void **state)
{
    struct texts texts;
    (void)state;
    create(&texts, "unicode61", 2);
    words_add(&texts.tables, 1, strcpy(texts.texts[0], "a cat"));
    words_add(&texts.tables, 2, strcpy(texts.texts[1], "the cat and the dog"));
    assert_true(each_allocation(prove, &texts) >= 8);
    destroy(&texts);
}

static int always(void *context)
{
    (void)context;
    return 1;
}

static void test_interrupt(void **state)
{
    struct texts texts;
    struct cancel cancel = {always, NULL};
    (void)state;
    create(&texts, "unicode61", 600);
    tables_execute(&texts.tables, "BEGIN");
    for (size_t i = 0; i < texts.n; i++)
        words_add(&texts.tables, (int64_t)i + 1, strcpy(texts.texts[i], "a a a a a a a a"));
    tables_execute(&texts.tables, "COMMIT");
    texts.tables.store.cancel = &cancel;
    assert_int_equal(prove(&texts, NULL), ERROR_INTERRUPTED);
    destroy(&texts);
}

static void test_a_tokenizer_that_is_not_there(void **state)
{
    struct texts texts;
    struct error err = {0};
    (void)state;
    create(&texts, "unicode61", 1);
    memcpy(texts.tables.store.tokenizer, "unicode62", 9);
    assert_int_equal(prove(&texts, &err), ERROR_INVALID);
    assert_non_null(strstr(err.text, "no such tokenizer"));
    destroy(&texts);
}

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokenizers), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_many_words), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_interrupt),  cmocka_unit_test(test_a_tokenizer_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
