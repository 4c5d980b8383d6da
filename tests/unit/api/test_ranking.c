#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/ranking.h"
#include "base/each_allocation.h"
#include "base/failing_memory.h"

#define MOST 40

/* A new block of just these bytes, so that a sanitizer sees a read past them. */
static size_t read_exactly(const char *text, size_t n, int is_cut, size_t *order)
{
    size_t size = strlen(text), n_named = 99;
    char *block = test_malloc(size + 1);
    memcpy(block, text, size);
    assert_int_equal(api_ranking_read((struct span){block, size}, n, is_cut, order, &n_named, NULL),
                     0);
    test_free(block);
    assert_int_equal(failing_memory_blocks, 0);
    return n_named;
}

/* `expected`: numbers from 1 on, as a text like "312"; of n documents all, so it is repaired. */
static void expect(const char *text, const char *expected, size_t n_named, int is_cut)
{
    size_t n = strlen(expected), order[MOST];
    size_t came = read_exactly(text, n, is_cut, order);
    char ours[MOST + 1] = "";
    for (size_t i = 0; i < n; i++) ours[i] = (char)('1' + order[i]);
    if (strcmp(ours, expected) != 0 || came != n_named)
        fail_msg("%s: %zu named of %s, expected %zu of %s", text, came, ours, n_named, expected);
}

static void test_forms(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "{\"ranking\": [3, 1, 2]}",
        "{\"ranking\":[\"3\",\"1\",\"2\"]}",
        "{\"Ranking\": [3.0, 1, 2]}",
        "{\"ranking\": [[3],[1],[2]]}",
        "{\"ranking\": \"3 > 1 > 2\"}",
        "{\"ranking\": [\"[3]\", \"Document 1\", \"2\"]}",
        "{\"ranking\": [{\"id\": 3}, {\"id\": 1}, {\"id\": 2}]}",
        "{\"result\": {\"order\": [{\"rank\": 1, \"ID\": \"3\"}, {\"rank\": 2, \"ID\": \"1\"}, "
        "{\"rank\": 3, \"ID\": \"2\"}]}}",
        "{\"scores\": [1, 2, 3], \"ranking\": [3, 1, 2]}",
        "{\"ranking\": [3, 1, 2], \"explanation\": \"of 1, 2 and 3 it is 3\"}",
        "{\"query\": [2], \"ids\": [3, 1, 2]}",
        "[3, 1, 2]",
        " \n[ 3,1 , 2 ]\n",
        "[{\"document_id\": 3, \"score\": 0.9}, {\"document_id\": 1, \"score\": 0.2}, "
        "{\"document_id\": 2, \"score\": 0.1}]",
        "```json\n{\"ranking\": [3, 1, 2]}\n```",
        "```\n[3, 1, 2]\n```\nI hope that 2 helps.",
        "Here is the ranking of the 3 documents: {\"ranking\": [3, 1, 2]}. Document 1 {is} next.",
        "[3] > [1] > [2]",
        "[3]>[1]>[2]",
        "3 > 1 > 2",
        "3,1,2",
        "3, 1, 2.",
        "3 1 2",
        "3\n1\n2\n",
        "3; 1; 2",
        "[3] &gt; [1] &gt; [2]",
        "[3] \xE2\x86\x92 [1] \xE2\x86\x92 [2]",
        "\xE3\x80\x90"
        "3\xE3\x80\x91 > \xE3\x80\x90"
        "1\xE3\x80\x91 > \xE3\x80\x90"
        "2\xE3\x80\x91",
        "**[3]** > **[1]** > **[2]**",
        "Document 3 > Document 1 > Document 2",
        "Documents in their order: 3, 1 and then 2",
        "The best 3: [3] > [1] > [2]",
        "Of the 3 documents, the ranking is [3] > [1] > [2].",
        "Between 2 and 1 it is hard to say, but [3] > [1] > [2] it is",
        "1. [3]\n2. [1]\n3. [2]",
        "1. Document 3\n2. Document 1\n3. Document 2\n",
        "1) 3\n2) 1\n3) 2",
        "1. [3] The 12 bats\n2. [1] Up (2009)\n3. [2] 2 or 3 things",
        "- Document 3: it has 1 bat\n- Document 1: none of 2\n- Document 2: none",
        "* 3: a bat\r\n* 1: a cave\r\n* 2: soup",
        "<think>1 > 2 > 3? {\"ranking\": [1, 2, 3]}</think>\n\n[3] > [1] > [2]",
        "<THINKING>1, 2, 3</THINKING>3,1,2",
        "so 1, 2, 3 then </think> 3,1,2",
        "[THINK]1, 2, 3[/THINK]{\"ranking\": [3, 1, 2]}",
        "3,1,2 <think>but 1 > 2 > 3",
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) expect(forms[i], "312", 3, 0);
}

static void test_words_scores_and_ranks(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "I would rank document 3 first, then document 1, and finally 2.",
        "The best document is 3, followed by 1, then 2.",
        "Most relevant: 3. Next: 1. Then: 2.",
        "Documents 1, 2 and 3 were given. 3 > 1 > 2",
        "[3] > [1] > [2]. Document 2 is about soup.",
        "{\"1\": 0.5, \"2\": 0, \"3\": 1}",
        "{\"ranking\": {\"document 1\": 0.5, \"document 3\": 0.9, \"document 2\": 0.1}}",
        "[{\"id\": 1, \"score\": 0.2}, {\"id\": 2, \"score\": 0.1}, {\"id\": 3, \"score\": 0.9}]",
        "[{\"rank\": 2, \"id\": 1}, {\"rank\": 3, \"id\": 2}, {\"rank\": 1, \"id\": 3}]",
        "{\"ranking\": [2, 0, 1]}",
        "{\"ranking\": \"The best document is 3, followed by 1, then 2.\"}",
        "{\"query\": \"q\", \"documents\": [{\"id\": 1}, {\"id\": 2}, {\"id\": 3}]} [3, 1, 2]",
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) expect(forms[i], "312", 3, 0);
}

static void test_repairs(void **state)
{
    (void)state;
    expect("{\"ranking\": [3]}", "3124", 1, 0);
    expect("{\"ranking\": [3, 2]}", "3214", 2, 0);
    expect("{\"ranking\": [4, 4, 2, 4, 2, 1]}", "4213", 3, 0);
    expect("{\"ranking\": [0, 9, -1, 1.5, 1e99, 4, null, true, \"\", {}, [], 2]}", "4213", 2, 0);
    expect("[9] > [4] > [0] > [2] > [18446744073709551617]", "4213", 2, 0);
    expect("4, 0.5, 2", "4213", 2, 0);
    expect("[3]", "3124", 1, 0);
    expect("3", "312", 1, 0);
    expect("3", "1", 0, 0);
    expect("1", "1", 1, 0);
}

static void test_cut_off(void **state)
{
    (void)state;
    expect("{\"ranking\": [3, 4, 2, 1", "3421", 4, 0);
    expect("{\"ranking\": [3, 4, 2, 1", "3421", 3, 1);
    expect("[3] > [4] > [1", "3412", 2, 1);
    expect("[3] > [4] > [1] > ", "3412", 3, 1);
    expect("{\"ranking\": [3", "1234", 0, 1);
    expect("", "1234", 0, 1);
    expect("<think>3 > 4 > 1", "1234", 0, 1);
}

static void test_none(void **state)
{
    (void)state;
    static const char *const none[] = {
        "",
        " \n",
        "{}",
        "[]",
        "null",
        "{\"ranking\": []}",
        "{\"ranking\": null}",
        "{\"ranking\": [0, 4, 5]}",
        "{\"ranking\": {\"a\": true}}",
        "I cannot rank these 3 documents.",
        "I am sorry, but I can't help with that.",
        "Document 2 is about a bat.",
        "1. Batman Begins\n2. The Dark Knight\n3. Up",
        "1. 12 Angry Men\n2. 3 Idiots\n3. 2 Guns",
        "Call 1-800-555",
        "v2 doc3 x1",
        "0.3 0.1 0.2",
        "<think>3 > 1 > 2",
        "<think>3 > 1 > 2</think>",
        "\xFF\xFE\x80",
        "{\"ranking\": \"none\"}",
        "<html><body>Error 3</body></html>",
        "Document 3 is most relevant (bats), followed by document 1 (cave).",
        "Document 2 is less relevant than document 3.",
        "Document 2 is less relevant than document 3, then 1.",
        "Documents 1, 2 and 3 were given. The best is 3, then 1.",
        "Documents 1, 2, 3 were given. The best is 3.",
        "The ranking is 3 > 1 > 2 of the documents 1, 2, 3.",
        "Document 1: 0.2\nDocument 2: 0.9\nDocument 3: 0.1",
        "1: 0.2\n2: 0.9\n3: 0.1",
        "1. Document 1: 0.2\n2. Document 2: 0.9\n3. Document 3: 0.1",
        "Document 1: no\nDocument 2: yes\nDocument 3: no",
        "{\"1\": 3, \"2\": 1, \"3\": 2}",
        "{\"first\": 3, \"second\": 1, \"third\": 2}",
        "{\"scores\": [2, 3, 1]}",
        "{\"relevance_scores\": [3, 1, 2]}",
        "{\"ranks\": [3, 1, 2]}",
        "{\"ranking\": [2, 0]}",
        "2 > 0 > 1",
        "{\"query\": \"q\", \"documents\": [{\"id\": 1}, {\"id\": 2}, {\"id\": 3}]}",
        "{\"order\": [3, 1, 2], \"given\": [1, 2, 3]}",
        "[[1, 2], [3, 1]]",
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) expect(none[i], "123", 0, 0);
}

/* What is long or deep ends, and soon. */
static void test_hostile(void **state)
{
    (void)state;
    static const char *const pieces[] = {"[", "{\"ranking\":[", "[3] > ", "1. ", "<think>",
                                         "9", "\xF0\x9F"};
    size_t size = 60000, order[MOST], n_named;
    char *text = test_malloc(size);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        size_t length = strlen(pieces[i]);
        for (size_t at = 0; at < size; at++) text[at] = pieces[i][at % length];
        assert_int_equal(
            api_ranking_read((struct span){text, size}, MOST, 0, order, &n_named, NULL), 0);
        unsigned char seen[MOST] = {0};
        for (size_t at = 0; at < MOST; at++) {
            assert_true(order[at] < MOST && !seen[order[at]]);
            seen[order[at]] = 1;
        }
    }
    test_free(text);
}

static int read_once(void *context, struct error *err)
{
    size_t order[3], n_named;
    (void)context;
    return api_ranking_read((struct span){"3,1,2", 5}, 3, 0, order, &n_named, err);
}

static void test_memory(void **state)
{
    (void)state;
    assert_true(each_allocation(read_once, NULL) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_repairs),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_words_scores_and_ranks),
    };
    failing_memory_bind();
    return cmocka_run_group_tests_name("api/ranking", tests, NULL, NULL);
}
