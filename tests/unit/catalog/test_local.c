/*
 * test_local.c: local models through the catalog. A model is found by its configuration alone:
 * there are no weights here.
 */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/each_allocation.h"
#include "catalog/catalog.h"

static char root[] = "/tmp/rerank-local-XXXXXX";
static const char *const names[] = {"me", "me/embeds", "me/ranks", "me/e5-tiny"};

static struct catalog *new_catalog(void)
{
    struct catalog *catalog;
    assert_int_equal(catalog_new(&catalog, NULL), 0);
    return catalog;
}

static void free_catalog(struct catalog *catalog)
{
    catalog_free(catalog);
    assert_int_equal(failing_memory_blocks, 0);
}

static struct catalog_entry *find(struct catalog *catalog, const char *name, enum model_task task)
{
    struct catalog_entry *entry;
    struct error err = {0};
    if (catalog_find(catalog, name, task, &entry, &err) != 0) fail_msg("%s", err.text);
    return entry;
}

static void check_lacks(int rc, int expected_rc, const struct error *err, const char *expected)
{
    assert_int_equal(rc, expected_rc);
    if (strstr(err->text, expected) == NULL) fail_msg("'%s' lacks '%s'", err->text, expected);
}

static void check_not_found(struct catalog *catalog, const char *name, enum model_task task,
                            int expected_rc, const char *expected)
{
    struct catalog_entry *entry;
    struct error err = {0};
    check_lacks(catalog_find(catalog, name, task, &entry, &err), expected_rc, &err, expected);
}

static int add(struct catalog *catalog, const struct catalog_alias *alias, struct error *err)
{
    size_t number;
    return catalog_add(catalog, alias, &number, err);
}

static void check_refused(struct catalog *catalog, const struct catalog_alias *alias,
                          int expected_rc, const char *expected)
{
    struct error err = {0};
    check_lacks(add(catalog, alias, &err), expected_rc, &err, expected);
}

static struct catalog_description describe(struct catalog *catalog, const char *name,
                                           enum model_task task)
{
    struct catalog_description description;
    catalog_describe(catalog, find(catalog, name, task), &description);
    return description;
}

static void test_names(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    struct catalog_description description = describe(catalog, "local:me/embeds", MODEL_EMBED);
    char identity[100];
    assert_string_equal(description.full_name, "local:me/embeds");
    assert_string_equal(description.provider, "local");
    assert_string_equal(description.model, "me/embeds");
    assert_string_equal(description.precision, "float32");
    assert_null(description.url);
    assert_false(description.is_remote || description.is_alias);
    assert_int_equal(description.dimensions, 8);
    assert_int_equal(description.max_tokens, 64);
    assert_true(description.batch_size > 0);
    catalog_entry_identity(find(catalog, "local:me/embeds", MODEL_EMBED), identity,
                           sizeof identity);
    assert_string_equal(identity, "local:me/embeds");
    assert_ptr_equal(find(catalog, "local:me/embeds", MODEL_EMBED),
                     find(catalog, "local:me/embeds", MODEL_EMBED));
    description = describe(catalog, "local:me/ranks", MODEL_RERANK);
    assert_int_equal(description.dimensions, 0);
    assert_int_equal(description.max_tokens, 64);
    check_not_found(catalog, "local:me/embeds", MODEL_RERANK, ERROR_INVALID, "local:me/embeds");
    check_not_found(catalog, "local:me/ranks", MODEL_EMBED, ERROR_INVALID, "local:me/ranks");
    check_not_found(catalog, "local:me/missing", MODEL_EMBED, ERROR_UNAVAILABLE, "me/missing");
    check_not_found(catalog, "local:me/missing", MODEL_EMBED, ERROR_UNAVAILABLE, root);
    check_not_found(catalog, "local:../etc", MODEL_EMBED, ERROR_INVALID, "../etc");
    check_not_found(catalog, "local:/etc/passwd", MODEL_RERANK, ERROR_INVALID, "/etc/passwd");
    check_not_found(catalog, "local:", MODEL_EMBED, ERROR_INVALID,
                    "expected provider:model, not 'local:'");
    free_catalog(catalog);
}

static void test_known_prefixes(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    struct catalog_entry *entry = find(catalog, "local:me/e5-tiny", MODEL_EMBED);
    struct catalog_alias alias = {.name = "short",
                                  .model = "local:me/e5-tiny",
                                  .given = CATALOG_DIMENSIONS,
                                  .dimensions = 4,
                                  .query_prefix = "ask: "};
    assert_string_equal(catalog_entry_prefix(entry, MODEL_QUERY), "query: ");
    assert_string_equal(catalog_entry_prefix(entry, MODEL_DOCUMENT), "passage: ");
    assert_int_equal(add(catalog, &alias, NULL), 0);
    entry = find(catalog, "short", MODEL_EMBED);
    assert_string_equal(catalog_entry_prefix(entry, MODEL_QUERY), "ask: ");
    assert_string_equal(catalog_entry_prefix(entry, MODEL_DOCUMENT), "passage: ");
    assert_int_equal(describe(catalog, "short", MODEL_EMBED).dimensions, 4);
    free_catalog(catalog);
}

/* The name that the SQL of others uses, for a model of this machine. */
static void test_bare_names(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    struct catalog_alias alias = {.name = "them/embeds", .model = "local:me/embeds"};
    check_not_found(catalog, "them/embeds", MODEL_EMBED, ERROR_INVALID, "TOGETHER_API_KEY");
    assert_int_equal(add(catalog, &alias, NULL), 0);
    struct catalog_entry *entry = find(catalog, "them/embeds", MODEL_EMBED);
    assert_string_equal(catalog_entry_name(entry), "local:me/embeds");
    check_not_found(catalog, "them/embeds", MODEL_RERANK, ERROR_INVALID,
                    "the model them/embeds does not rerank");
    alias = (struct catalog_alias){.name = "them/ranks", .model = "local:me/ranks"};
    assert_int_equal(add(catalog, &alias, NULL), 0);
    find(catalog, "them/ranks", MODEL_RERANK);
    check_not_found(catalog, "them/ranks", MODEL_EMBED, ERROR_INVALID, "does not embed");
    /* One name for two models, and a name of that name. */
    alias.name = "them/embeds";
    assert_int_equal(add(catalog, &alias, NULL), 0);
    find(catalog, "them/embeds", MODEL_RERANK);
    alias = (struct catalog_alias){.name = "both", .model = "them/embeds"};
    assert_int_equal(add(catalog, &alias, NULL), 0);
    assert_string_equal(catalog_entry_name(find(catalog, "both", MODEL_EMBED)), "local:me/embeds");
    assert_string_equal(catalog_entry_name(find(catalog, "both", MODEL_RERANK)), "local:me/ranks");
    /* Without it the name is Together's again. */
    assert_int_equal(catalog_remove(catalog, entry, NULL), 0);
    assert_int_equal(catalog_remove(catalog, find(catalog, "them/embeds", MODEL_RERANK), NULL), 0);
    check_not_found(catalog, "them/embeds", MODEL_EMBED, ERROR_INVALID, "TOGETHER_API_KEY");
    /* For models that are not of this machine it is not to be had. */
    alias = (struct catalog_alias){.name = "a/b", .model = "builtin:lexical"};
    check_refused(catalog, &alias, ERROR_INVALID, "is the name of a model of together");
    alias = (struct catalog_alias){.name = "local:b", .model = "local:me/embeds"};
    check_refused(catalog, &alias, ERROR_INVALID, "is the name of a model of this machine");
    free_catalog(catalog);
}

static void test_models_of_their_own(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    struct error err = {0};
    char identity[100];
    struct catalog_alias alias = {.name = "fast",
                                  .provider = "local",
                                  .model = "me/embeds",
                                  .given = CATALOG_PRECISION,
                                  .precision = "int8"};
    assert_int_equal(add(catalog, &alias, NULL), 0);
    struct catalog_description description = describe(catalog, "fast", MODEL_EMBED);
    assert_string_equal(description.full_name, "fast");
    assert_string_equal(description.precision, "int8");
    assert_false(description.is_alias);
    struct catalog_entry *entry = find(catalog, "fast", MODEL_EMBED);
    catalog_entry_identity(entry, identity, sizeof identity);
    assert_string_equal(identity, "local:me/embeds");
    alias.task = MODEL_EMBED;
    alias.precision = "int4";
    check_lacks(catalog_change(catalog, entry, &alias, &err), ERROR_INVALID, &err,
                "precision must be 'float32', 'bf16' or 'int8', not 'int4'");
    assert_string_equal(describe(catalog, "fast", MODEL_EMBED).precision, "int8");
    alias.precision = NULL;
    assert_int_equal(catalog_change(catalog, entry, &alias, NULL), 0);
    assert_string_equal(describe(catalog, "fast", MODEL_EMBED).precision, "float32");
    alias.given = CATALOG_DIMENSIONS;
    alias.dimensions = 9;
    assert_int_equal(catalog_change(catalog, entry, &alias, &err), ERROR_INVALID);
    assert_int_equal(describe(catalog, "fast", MODEL_EMBED).dimensions, 8);
    /* Another name of such a model has nothing of its own. */
    alias = (struct catalog_alias){
        .name = "again", .model = "fast", .given = CATALOG_PRECISION, .precision = "bf16"};
    check_refused(catalog, &alias, ERROR_INVALID,
                  "'again' would only be a name of fast: give provider and model with precision, "
                  "dimensions or batch_size");
    free_catalog(catalog);
}

/* A name becomes a model of its own when it gets something that the model has not. */
static void test_a_name_becomes_a_model(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    struct error err = {0};
    struct catalog_alias alias = {.name = "mine", .task = MODEL_EMBED, .model = "local:me/e5-tiny"};
    assert_int_equal(add(catalog, &alias, NULL), 0);
    struct catalog_entry *entry = find(catalog, "mine", MODEL_EMBED);
    struct model *model = catalog_entry_model(entry);
    assert_true(describe(catalog, "mine", MODEL_EMBED).is_alias);
    alias.given = CATALOG_PRECISION | CATALOG_DIMENSIONS;
    assert_int_equal(catalog_change(catalog, entry, &alias, NULL), 0);
    assert_true(describe(catalog, "mine", MODEL_EMBED).is_alias);
    alias.given = CATALOG_PRECISION;
    alias.precision = "fast";
    assert_int_equal(catalog_change(catalog, entry, &alias, &err), ERROR_INVALID);
    alias.given = CATALOG_URL;
    alias.url = "http://localhost/";
    check_lacks(catalog_change(catalog, entry, &alias, &err), ERROR_INVALID, &err,
                "url does not apply");
    assert_true(describe(catalog, "mine", MODEL_EMBED).is_alias);
    assert_ptr_equal(catalog_entry_model(entry), model);
    alias.given = CATALOG_PRECISION | CATALOG_BATCH_SIZE;
    alias.precision = "bf16";
    alias.batch_size = 7;
    assert_int_equal(catalog_change(catalog, entry, &alias, NULL), 0);
    struct catalog_description description = describe(catalog, "mine", MODEL_EMBED);
    assert_string_equal(description.full_name, "mine");
    assert_string_equal(description.precision, "bf16");
    assert_int_equal(description.batch_size, 7);
    assert_string_equal(catalog_entry_prefix(entry, MODEL_QUERY), "query: ");
    assert_ptr_equal(catalog_entry_model(find(catalog, "local:me/e5-tiny", MODEL_EMBED)), model);
    assert_int_equal(catalog_remove(catalog, find(catalog, "local:me/e5-tiny", MODEL_EMBED), NULL),
                     0);
    assert_int_equal(catalog_remove(catalog, entry, NULL), 0);
    free_catalog(catalog);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    struct catalog_alias alias = {.name = "x", .model = "local:me/missing"};
    check_refused(catalog, &alias, ERROR_UNAVAILABLE, "me/missing");
    alias.model = "local:../me";
    check_refused(catalog, &alias, ERROR_INVALID, "../me");
    alias = (struct catalog_alias){.name = "x", .model = "local:me/ranks", .query_prefix = "q"};
    check_refused(catalog, &alias, ERROR_INVALID, "a model that reranks takes no prefix");
    alias = (struct catalog_alias){
        .name = "x", .model = "local:me/ranks", .given = CATALOG_DIMENSIONS, .dimensions = 4};
    check_refused(catalog, &alias, ERROR_INVALID, "a model that reranks has no dimensions");
    alias = (struct catalog_alias){.name = "x", .task = MODEL_RERANK, .model = "local:me/embeds"};
    check_refused(catalog, &alias, ERROR_INVALID, "local:me/embeds");
    alias = (struct catalog_alias){
        .name = "x", .model = "local:me/embeds", .given = CATALOG_API_KEY, .api_key = "secret"};
    check_refused(catalog, &alias, ERROR_INVALID, "api_key does not apply");
    alias = (struct catalog_alias){.name = "x",
                                   .model = "openai:m",
                                   .given = CATALOG_PRECISION | CATALOG_URL,
                                   .url = "http://localhost/",
                                   .precision = "int8"};
    check_refused(catalog, &alias, ERROR_INVALID,
                  "precision does not apply: x is not a local model");
    assert_null(catalog_entry_at(catalog, 4, &(int){0}));
    free_catalog(catalog);
}

static void test_overlong(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    struct error err = {0};
    assert_string_equal(catalog_get_word(catalog, CATALOG_ON_OVERLONG), "truncate");
    assert_int_equal(catalog_set(catalog, CATALOG_ON_OVERLONG, "error", NULL), 0);
    assert_string_equal(catalog_get_word(catalog, CATALOG_ON_OVERLONG), "error");
    check_lacks(catalog_set(catalog, CATALOG_ON_OVERLONG, "cut", &err), ERROR_INVALID, &err,
                "on_overlong must be 'truncate' or 'error', not 'cut'");
    free_catalog(catalog);
    setenv("RERANK_ON_OVERLONG", "error", 1);
    catalog = new_catalog();
    assert_string_equal(catalog_get_word(catalog, CATALOG_ON_OVERLONG), "error");
    free_catalog(catalog);
    setenv("RERANK_ON_OVERLONG", "cut", 1);
    check_lacks(catalog_new(&catalog, &err), ERROR_INVALID, &err, "RERANK_ON_OVERLONG must be");
    unsetenv("RERANK_ON_OVERLONG");
}

static int do_everything(void *context, struct error *err)
{
    (void)context;
    struct catalog *catalog = NULL;
    struct catalog_entry *entry;
    struct catalog_alias alias = {.name = "them/ranks", .model = "local:me/ranks"};
    int rc = catalog_new(&catalog, err);
    if (rc == 0) rc = add(catalog, &alias, err);
    alias = (struct catalog_alias){.name = "mine", .model = "local:me/e5-tiny"};
    if (rc == 0) rc = add(catalog, &alias, err);
    if (rc == 0) rc = catalog_find(catalog, NULL, MODEL_EMBED, &entry, err);
    if (rc == 0) rc = catalog_find(catalog, "mine", MODEL_EMBED, &entry, err);
    alias.task = MODEL_EMBED;
    alias.given = CATALOG_PRECISION;
    alias.precision = "int8";
    if (rc == 0) rc = catalog_change(catalog, entry, &alias, err);
    alias.precision = "bf16";
    if (rc == 0) rc = catalog_change(catalog, entry, &alias, err);
    catalog_free(catalog);
    return rc;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    setenv("RERANK_EMBED_MODEL", "local:me/embeds", 1);
    assert_true(each_allocation(do_everything, NULL) > 30);
    unsetenv("RERANK_EMBED_MODEL");
}

/* ---- model folders -------------------------------------------------------------------------- */

static void write_config(const char *name, const char *architecture)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s/config.json", root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "{\"architectures\": [\"%s\"], \"model_type\": \"bert\", \"hidden_size\": 8, "
            "\"num_hidden_layers\": 1, \"num_attention_heads\": 2, \"intermediate_size\": 16, "
            "\"vocab_size\": 10, \"max_position_embeddings\": 64, \"type_vocab_size\": 2, "
            "\"layer_norm_eps\": 1e-12, \"hidden_act\": \"gelu\"%s}",
            architecture,
            strstr(architecture, "Classification") != NULL ? ", \"id2label\": {\"0\": \"LABEL_0\"}"
                                                           : "");
    fclose(file);
}

static int make_folders(void **state)
{
    (void)state;
    char path[200];
    if (mkdtemp(root) == NULL) return -1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", root, names[i]);
        if (mkdir(path, 0700) != 0) return -1;
    }
    write_config("me/embeds", "BertModel");
    write_config("me/e5-tiny", "BertModel");
    write_config("me/ranks", "BertForSequenceClassification");
    unsetenv("TOGETHER_API_KEY");
    return setenv("RERANK_MODEL_PATH", root, 1);
}

static int remove_folders(void **state)
{
    (void)state;
    char path[200];
    for (size_t i = sizeof names / sizeof *names; i-- > 0;) {
        snprintf(path, sizeof path, "%s/%s/config.json", root, names[i]);
        unlink(path);
        snprintf(path, sizeof path, "%s/%s", root, names[i]);
        rmdir(path);
    }
    return rmdir(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_known_prefixes),
        cmocka_unit_test(test_bare_names),
        cmocka_unit_test(test_models_of_their_own),
        cmocka_unit_test(test_a_name_becomes_a_model),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_overlong),
        cmocka_unit_test(test_out_of_memory),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
