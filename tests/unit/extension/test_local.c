/*
 * test_local.c: local models in SQL, as far as no weights are needed: tokens, and an index on a
 * machine that has its model no longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int sqlite3_rerank_init(sqlite3 *db, char **message, const void *api);

static char folder[64], path[96];

static sqlite3 *open_database(void)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void execute(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s: %s", sql, message);
}

/* The first column of each row, joined by one space. */
static void check_rows(sqlite3 *db, const char *sql, const char *expected)
{
    sqlite3_stmt *statement;
    char rows[200] = "";
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        if (rows[0] != '\0') strncat(rows, " ", sizeof rows - strlen(rows) - 1);
        strncat(rows, (const char *)sqlite3_column_text(statement, 0),
                sizeof rows - strlen(rows) - 1);
    }
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    assert_string_equal(rows, expected);
}

static void check_error(sqlite3 *db, const char *sql, const char *expected)
{
    char *message = NULL;
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, &message), SQLITE_ERROR);
    if (strstr(message, expected) == NULL) fail_msg("'%s' lacks '%s'", message, expected);
    sqlite3_free(message);
}

static void test_the_model_is_gone(void **state)
{
    (void)state;
    setenv("RERANK_MODEL_PATH", folder, 1);
    sqlite3 *db = open_database();
    execute(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT);"
                "INSERT INTO t(a) VALUES ('one'), ('two');"
                "CREATE VIRTUAL TABLE x USING semantic_index(content = 't', text = 'a', "
                "  model = 'local:tiny');"
                "INSERT INTO x(rowid, embedding) VALUES (1, '[1, 2, 3, 4, 5, 6, 7, 8]');"
                "INSERT INTO rerank_models(name, model, precision) "
                "  VALUES ('fast', 'local:tiny', 'int8');"
                "CREATE VIRTUAL TABLE y USING semantic_index(model = 'fast')");
    check_error(db, "CREATE VIRTUAL TABLE z USING semantic_index(model = 'local:missing')",
                "model: no model missing in ");
    check_rows(db, "SELECT value FROM x_config WHERE key = 'model'", "local:tiny");
    check_rows(db, "SELECT value FROM y_config WHERE key = 'model'", "fast");
    check_rows(db, "SELECT value FROM y_config WHERE key = 'identity'", "local:tiny");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);

    setenv("RERANK_MODEL_PATH", "/nowhere/at/all", 1);
    db = open_database();
    check_rows(db, "SELECT a FROM x", "one");
    check_rows(db, "SELECT a FROM x('[1, 2, 3, 4, 5, 6, 7, 8]')", "one");
    check_error(db, "SELECT a FROM x('one')", "no model tiny in /nowhere/at/all");
    check_error(db, "SELECT * FROM semantic_sync('x')", "no model tiny in /nowhere/at/all");
    check_rows(db, "SELECT rowid FROM y('one')", "");
    check_error(db, "INSERT INTO y(text) VALUES ('one')", "no model is called 'fast'");
    execute(db, "INSERT INTO x(x) VALUES ('integrity-check'); DELETE FROM x WHERE rowid = 1;"
                "DROP TABLE x; DROP TABLE y");
    check_rows(db, "SELECT name FROM sqlite_schema", "t");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_tokens(void **state)
{
    (void)state;
    setenv("RERANK_MODEL_PATH", folder, 1);
    sqlite3 *db = open_database();
    check_rows(db, "SELECT token_ids('One two. xyz', 'local:tiny')", "[2,4,5,7,1,3]");
    check_rows(db, "SELECT token_count('One two. xyz', 'local:tiny')", "6");
    check_rows(db, "SELECT token_count('', 'local:tiny')", "2");
    check_rows(db,
               "SELECT json_array_length(token_ids(value, 'local:tiny')) FROM json_each("
               "json_array('one', ' ', 'one two three'))",
               "3 2 5");
    check_rows(db, "SELECT max_tokens FROM rerank_models WHERE name = 'local:tiny'", "64");
    check_rows(db, "SELECT text FROM chunk_each('One two. Three one. Two', 6, 0, 'local:tiny')",
               "One two. Three one. Two");
    check_rows(db, "SELECT n FROM chunk_each('One two. Three one. Two', 6, 0, 'local:tiny')",
               "0 1");
    check_error(db, "SELECT * FROM chunk_each('one', 2, 0, 'local:tiny')",
                "max_tokens must be 3 or more, not 2 (2 are special tokens)");
    check_error(db, "SELECT * FROM chunk_each('one', 65, 0, 'local:tiny')",
                "max_tokens must be 64 or less, not 65: local:tiny reads no more");
    check_error(db, "SELECT * FROM chunk_each('one', NULL, 64, 'local:tiny')",
                "overlap must be less than max_tokens (64), not 64");
    /* As long as the model reads; with its prefix, "passage: ", not more. */
    execute(db,
            "CREATE TABLE long AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
            "WHERE i < 200) SELECT group_concat('one', ' ') AS body FROM n");
    check_rows(db,
               "SELECT token_count(c.text, 'local:tiny') FROM long, "
               "chunk_each(body, NULL, NULL, 'local:tiny') AS c",
               "64 64 64 16");
    check_rows(db,
               "SELECT token_count('passage: ' || c.text, 'local:e5-tiny') FROM long, "
               "chunk_each(body, NULL, NULL, 'local:e5-tiny') AS c",
               "64 64 64 24");
    check_rows(db,
               "SELECT token_count('passage: ' || c.text, 'local:e5-tiny') FROM long, "
               "chunk_each(body, 63, NULL, 'local:e5-tiny') AS c",
               "64 64 64 24");
    execute(db, "DROP TABLE long");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int write_file(const char *model, const char *file_name, const char *text)
{
    char name[160];
    snprintf(name, sizeof name, "%s/%s/%s", folder, model, file_name);
    FILE *file = fopen(name, "w");
    if (file == NULL) return -1;
    fputs(text, file);
    return fclose(file);
}

static int make_model(const char *model)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%s", folder, model);
    if (mkdir(name, 0700) != 0) return -1;
    return write_file(model, "config.json",
                      "{\"architectures\": [\"BertModel\"], \"model_type\": \"bert\", "
                      "\"hidden_size\": 8, \"num_hidden_layers\": 1, \"num_attention_heads\": 2, "
                      "\"intermediate_size\": 16, \"vocab_size\": 10, "
                      "\"max_position_embeddings\": 64, \"type_vocab_size\": 2, "
                      "\"layer_norm_eps\": 1e-12, \"hidden_act\": \"gelu\"}") |
           write_file(model, "vocab.txt",
                      "[PAD]\n[UNK]\n[CLS]\n[SEP]\none\ntwo\nthree\n.\npassage\n:\n") |
           write_file(model, "tokenizer_config.json", "{\"do_lower_case\": true}");
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/local_sql_XXXXXX");
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(path, sizeof path, "%s/test.db", folder);
    return make_model("tiny") | make_model("e5-tiny");
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {
        "test.db", "tiny/config.json",    "tiny/vocab.txt",    "tiny/tokenizer_config.json",
        "tiny",    "e5-tiny/config.json", "e5-tiny/vocab.txt", "e5-tiny/tokenizer_config.json",
        "e5-tiny",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        remove(name);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_the_model_is_gone),
    };
    sqlite3_auto_extension((void (*)(void))sqlite3_rerank_init);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
