#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/each_allocation.h"
#include "local/folder.h"
#include "local/model_folder.h"

static const char *const variables[] = {"RERANK_MODEL_PATH",     "HF_HUB_CACHE",
                                        "HUGGINGFACE_HUB_CACHE", "HF_HOME",
                                        "XDG_CACHE_HOME",        "HOME"};

/* None of the user's own models. */
static int make(void **state)
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) unsetenv(variables[i]);
    return model_folder_make(state);
}

static void set(const char *variable, const char *folder)
{
    assert_int_equal(setenv(variable, model_folder_path(folder), 1), 0);
}

/* It lies in that folder of the test's. */
static void found(const char *name, const char *expected)
{
    struct error err = {0};
    char *folder;
    int rc = local_folder_find(name, &folder, &err);
    if (rc != 0) print_error("%s\n", err.text);
    assert_int_equal(rc, 0);
    assert_string_equal(folder, model_folder_path(expected));
    memory_free(folder);
    assert_int_equal(failing_memory_blocks, 0);
}

static void refused(const char *name, int code, const char *word)
{
    struct error err = {0};
    char *folder;
    assert_int_equal(local_folder_find(name, &folder, &err), code);
    assert_null(folder);
    if (strstr(err.text, word) == NULL) print_error("no '%s' in '%s'\n", word, err.text);
    assert_non_null(strstr(err.text, word));
    assert_int_equal(local_folder_find(name, &folder, NULL), code);
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"",           ".",     "..",      "../a",  "a/..", "a/../b",
                                      "/a",         "a/",    "a//b",    "a/b/c", ".a/b", "a/.b",
                                      "a b",        "a\\b",  "a\nb",    "~/a",   "a:b",  "$HOME/a",
                                      "\303\244/b", "a/b;c", "a/%2e%2e"};
    set("RERANK_MODEL_PATH", "");
    model_folder_put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(bad[i], ERROR_INVALID, "expected a model's name as owner/name");
    refused("", ERROR_INVALID, "not an empty text");
    char longest[300];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    refused(longest, ERROR_INVALID, "expected a model's name");
    longest[200] = '\0';
    refused(longest, ERROR_UNAVAILABLE, "no model aaa");
}

static void test_plain_folders(void **state)
{
    (void)state;
    model_folder_put_text("x/BAAI/bge-small-en-v1.5/config.json", "{}");
    model_folder_put_text("y/BAAI/bge-small-en-v1.5/config.json", "{}");
    model_folder_put_text("y/mine/config.json", "{}");
    char path[300];
    snprintf(path, sizeof path, ":%s/none:%s::%s:", model_folder, model_folder_path("x"),
             model_folder_path("y"));
    setenv("RERANK_MODEL_PATH", path, 1);
    found("BAAI/bge-small-en-v1.5", "x/BAAI/bge-small-en-v1.5");
    found("mine", "y/mine");
    refused("mine/config.json", ERROR_UNAVAILABLE, "no model mine/config.json in ");
}

static void test_cache(void **state)
{
    (void)state;
    set("HF_HUB_CACHE", "hub");
    model_folder_put_text("hub/models--a--b/snapshots/111aaa/config.json", "{}");
    found("a/b", "hub/models--a--b/snapshots/111aaa");
    model_folder_put_text("hub/models--a--b/snapshots/222bbb/config.json", "{}");
    refused("a/b", ERROR_UNAVAILABLE, "2 revisions in ");
    refused("a/b", ERROR_UNAVAILABLE, "no refs/main that says which; make model MODEL=a/b");
    model_folder_put_text("hub/models--a--b/refs/main", "222bbb");
    found("a/b", "hub/models--a--b/snapshots/222bbb");
    model_folder_put_text("hub/models--a--b/refs/main", "111aaa\n");
    found("a/b", "hub/models--a--b/snapshots/111aaa");
    model_folder_put_text("hub/models--gpt/snapshots/1/config.json", "{}");
    found("gpt", "hub/models--gpt/snapshots/1");
}

static void test_bad_revisions(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "\n",
        "..",
        "../../x",
        "a/b",
        ".hidden",
        "a b",
        ("0123456789012345678901234567890123456789012345678901234567890123456789"
         "0123456789012345678901234567890123456789")};
    set("HF_HUB_CACHE", "hub");
    model_folder_put_text("hub/models--a--b/snapshots/1/config.json", "{}");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        model_folder_put_text("hub/models--a--b/refs/main", bad[i]);
        refused("a/b", ERROR_UNAVAILABLE, "refs/main holds no revision's name");
    }
    model_folder_put("hub/models--a--b/refs/main", "1\0002", 3);
    refused("a/b", ERROR_UNAVAILABLE, "refs/main holds no revision's name");
    /* A download that was broken off. */
    model_folder_put_text("hub/models--a--b/refs/main", "2");
    refused("a/b", ERROR_UNAVAILABLE, "snapshots/2 is not there; make model MODEL=a/b");
    model_folder_put_text("hub/models--a--b/snapshots/2/tokenizer.json", "{}");
    refused("a/b", ERROR_UNAVAILABLE, "snapshots/2 has no config.json");
    model_folder_put_text("hub/models--c--d/snapshots/.keep", "");
    refused("c/d", ERROR_UNAVAILABLE, "no revision in ");
    /* Another folder that has it whole is as good. */
    set("RERANK_MODEL_PATH", "x");
    model_folder_put_text("x/models--a--b/refs/main", "9");
    model_folder_put_text("hub/models--a--b/refs/main", "1");
    found("a/b", "hub/models--a--b/snapshots/1");
}

static void test_order_of_variables(void **state)
{
    (void)state;
    model_folder_put_text("home/.cache/huggingface/hub/models--a--b/snapshots/1/config.json", "{}");
    model_folder_put_text("xdg/huggingface/hub/models--a--b/snapshots/1/config.json", "{}");
    model_folder_put_text("hf/hub/models--a--b/snapshots/1/config.json", "{}");
    model_folder_put_text("cache/a/b/config.json", "{}");
    model_folder_put_text("path/a/b/config.json", "{}");
    refused("a/b", ERROR_UNAVAILABLE, "no model a/b in any folder; ");
    set("HOME", "home");
    found("a/b", "home/.cache/huggingface/hub/models--a--b/snapshots/1");
    set("XDG_CACHE_HOME", "xdg");
    found("a/b", "xdg/huggingface/hub/models--a--b/snapshots/1");
    set("HF_HOME", "hf");
    found("a/b", "hf/hub/models--a--b/snapshots/1");
    model_folder_put_text("older/models--a--b/snapshots/1/config.json", "{}");
    set("HUGGINGFACE_HUB_CACHE", "older");
    found("a/b", "older/models--a--b/snapshots/1");
    set("HF_HUB_CACHE", "cache");
    found("a/b", "cache/a/b");
    set("RERANK_MODEL_PATH", "path");
    found("a/b", "path/a/b");
    set("HF_HUB_CACHE", "empty");
    setenv("RERANK_MODEL_PATH", "", 1);
    refused("a/b", ERROR_UNAVAILABLE, model_folder_path("empty"));
    refused("a/b", ERROR_UNAVAILABLE,
            "; make model MODEL=a/b downloads it, or set RERANK_MODEL_PATH");
}

static void test_static_models_without_config(void **state)
{
    (void)state;
    set("RERANK_MODEL_PATH", "x");
    model_folder_put_text("x/a/b/modules.json", "[]");
    found("a/b", "x/a/b");
    model_folder_put_text("x/a/c/model.safetensors", "");
    refused("a/c", ERROR_UNAVAILABLE, "a/c has no config.json");
}

/* The hub does not tell names apart that differ in case alone. */
static void test_letter_case(void **state)
{
    (void)state;
    set("RERANK_MODEL_PATH", "path");
    set("HF_HUB_CACHE", "hub");
    model_folder_put_text("hub/models--BAAI--bge-M3/refs/main", "1");
    model_folder_put_text("hub/models--BAAI--bge-M3/snapshots/1/config.json", "{}");
    found("baai/BGE-m3", "hub/models--BAAI--bge-M3/snapshots/1");
    model_folder_put_text("path/BAAI/bge-m3/config.json", "{}");
    found("BAAI/bge-m3", "path/BAAI/bge-m3");
    found("baai/bge-m3", "path/BAAI/bge-m3");
    /* One that is spelt as it was asked for comes first, wherever it lies. */
    found("BAAI/bge-M3", "hub/models--BAAI--bge-M3/snapshots/1");
    model_folder_put_text("path/BAAI/BGE-M3/config.json", "{}");
    model_folder_put_text("path/Mine/config.json", "{}");
    found("mine", "path/Mine");
    set("HF_HUB_CACHE", "none");
    refused("baai/bge-m3", ERROR_UNAVAILABLE, "2 folders in ");
    refused("baai/bge-m3", ERROR_UNAVAILABLE, "are called baai/bge-m3 but for the case of letters");
    model_folder_put_text("path/baai/other/config.json", "{}");
    found("BAAI/OTHER", "path/baai/other");
    model_folder_put_text("path/baai/second/config.json", "{}");
    model_folder_put_text("path/BAAI/third/config.json", "{}");
    found("BAAI/second", "path/baai/second");
    found("baai/third", "path/BAAI/third");
}

static void test_long_paths(void **state)
{
    (void)state;
    static char path[20000];
    memset(path, 'p', sizeof path - 1);
    setenv("HF_HUB_CACHE", path, 1);
    refused("a/b", ERROR_UNAVAILABLE, "no model a/b");
    for (size_t i = 2; i < sizeof path; i += 3) path[i] = ':';
    setenv("RERANK_MODEL_PATH", path, 1);
    refused("a/b", ERROR_UNAVAILABLE, "pp, pp, ");
    refused("a/b", ERROR_UNAVAILABLE,
            "...; make model MODEL=a/b downloads it, or set RERANK_MODEL_PATH");
}

static int find_once(void *context, struct error *err)
{
    char *folder;
    (void)context;
    int rc = local_folder_find("a/b", &folder, err);
    memory_free(folder);
    return rc;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    set("HF_HUB_CACHE", "hub");
    model_folder_put_text("hub/models--a--b/snapshots/1/config.json", "{}");
    model_folder_put_text("hub/models--a--b/refs/main", "1");
    assert_int_equal(each_allocation(find_once, NULL), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, model_folder_remove)

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        TEST(test_names),
        TEST(test_plain_folders),
        TEST(test_cache),
        TEST(test_bad_revisions),
        TEST(test_order_of_variables),
        TEST(test_static_models_without_config),
        TEST(test_letter_case),
        TEST(test_long_paths),
        TEST(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
