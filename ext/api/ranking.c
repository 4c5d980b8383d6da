#include "api/ranking.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/memory.h"
#include "text/utf8.h"

#define MAX_VALUES 32 /* of JSON that are tried in a text */
#define MAX_DEPTH 8   /* of lists in a value */

/* Numbers of documents as they were found, each once; those of larger keys go first. */
struct list {
    size_t *places; /* [n_documents], from 0 on */
    double *keys;   /* [n_documents] */
    size_t n;
    unsigned char *seen; /* [n_documents] */
};

struct reading {
    size_t n_documents;
    struct list best, trial;
    struct list mentioned;                   /* in prose, wherever */
    int is_named;                            /* the best stood under "ranking" */
    int is_doubtful;                         /* another one contradicts it */
    int is_followed;                         /* other numbers come after it */
    int has_object;                          /* of JSON, not empty */
    int has_zero, has_fraction, is_compared; /* of prose: 0; 0.5; ">" */
    int is_cut;
};

static const char *const reasoning_tags[][2] = {
    {"<think>", "</think>"},         {"<thinking>", "</thinking>"}, {"<thought>", "</thought>"},
    {"<reasoning>", "</reasoning>"}, {"[THINK]", "[/THINK]"},
};

/* What an element that is an object calls the number of its document. */
static const char *const number_members[] = {"id",      "index",  "document", "document_id",
                                             "passage", "doc_id", "number"};

/* Words that may stand beside a number without being about anything else. */
static const char *const filler_words[] = {"document", "doc",      "passage", "id",     "no",
                                           "number",   "then",     "and",     "gt",     "first",
                                           "next",     "followed", "by",      "finally"};
/* What a number before it counts. */
static const char *const counted_words[] = {"documents", "docs",    "passages",
                                            "texts",     "results", "candidates"};
/* What an object in a list calls its place; and its score, the best the largest. */
static const char *const key_members[] = {"rank", "score", "relevance_score", "relevance"};
/* Signs beyond ASCII, by how their UTF-8 begins: arrows, dashes and bullets, CJK and full-width
 * punctuation. */
static const char *const signs[] = {"\xE2\x86", "\xE2\x80", "\xE2\x89", "\xE3\x80", "\xEF\xBC"};

static int list_init(struct list *list, size_t n)
{
    list->places = memory_alloc(n, sizeof *list->places);
    list->keys = memory_alloc(n, sizeof *list->keys);
    list->seen = memory_zalloc(n, 1);
    return list->places != NULL && list->keys != NULL && list->seen != NULL;
}

static void list_deinit(struct list *list)
{
    memory_free(list->places);
    memory_free(list->keys);
    memory_free(list->seen);
}

static void list_clear(struct list *list)
{
    for (size_t i = 0; i < list->n; i++) list->seen[list->places[i]] = 0;
    list->n = 0;
}

static void list_add(struct list *list, size_t n_documents, double number, double key)
{
    if (!(number >= 1 && number <= (double)n_documents) || number != floor(number)) return;
    size_t place = (size_t)number - 1, at = list->n;
    if (list->seen[place]) return;
    list->seen[place] = 1;
    for (; at > 0 && list->keys[at - 1] < key; at--) {
        list->places[at] = list->places[at - 1];
        list->keys[at] = list->keys[at - 1];
    }
    list->places[at] = place;
    list->keys[at] = key;
    list->n++;
}

/* As the documents were given: what is no answer often looks so. */
static int is_as_given(const struct list *list)
{
    for (size_t i = 1; i < list->n; i++)
        if (list->places[i] < list->places[i - 1]) return 0;
    return list->n > 1;
}

/* Of two lists of one length: the later one names others, or the documents as they were given. */
static int contradicts(const struct list *list, const struct list *earlier)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->n > 1 && !earlier->seen[list->places[i]]) return 1;
    return is_as_given(list) && !is_as_given(earlier);
}

/* Keeps the trial if it is no shorter than the best, and begins another. */
static void keep(struct reading *reading, int is_named)
{
    struct list trial = reading->trial;
    size_t least = is_named > reading->is_named ? 0 : reading->best.n;
    if (trial.n > 0 && is_named >= reading->is_named && trial.n >= least) {
        reading->is_doubtful = trial.n == least && !is_named && contradicts(&trial, &reading->best);
        reading->is_followed = 0;
        reading->trial = reading->best;
        reading->best = trial;
        reading->is_named = is_named;
    } else if (trial.n > 0) {
        reading->is_followed = 1;
    }
    list_clear(&reading->trial);
}

/* ---- numbers in text ------------------------------------------------------------------------- */

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int is_beyond_ascii(char c)
{
    return (c & 0x80) != 0;
}

static int begins_word(char c)
{
    return is_letter(c) || is_beyond_ascii(c);
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* A number at `at`, moved past it; -1: it is none of a document, as 0.5, or would go on (`is_cut`
 * at the end). */
static double take_number(const char **at, const char *end, int is_cut)
{
    const char *p = *at;
    double number = 0;
    for (; p < end && is_digit(*p); p++) number = number * 10 + (*p - '0');
    int is_whole = 1;
    if (p + 1 < end && *p == '.' && is_digit(p[1])) {
        for (p++; p < end && is_digit(*p); p++) is_whole = is_whole && *p == '0';
    }
    if (p < end && is_letter(*p)) is_whole = 0;
    for (; p < end && (is_letter(*p) || is_digit(*p)); p++) continue;
    *at = p;
    return is_whole && !(is_cut && p == end) ? number : -1;
}

static int is_word(const char *word, size_t size, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(words[i]) == size && strncasecmp(words[i], word, size) == 0) return 1;
    return 0;
}

/* Moves past a word, or a sign beyond ASCII; whether it says nothing. */
static int take_filler(const char **at, const char *end)
{
    const char *start = *at;
    if (is_beyond_ascii(*start)) {
        for (++*at; *at < end && utf8_is_inside(**at);) ++*at;
        for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
            if (*at - start == 3 && memcmp(start, signs[i], 2) == 0) return 1;
        return 0;
    }
    while (*at < end && (is_letter(**at) || is_digit(**at))) ++*at;
    return is_word(start, (size_t)(*at - start), filler_words,
                   sizeof filler_words / sizeof *filler_words);
}

/* "5 documents": the number before `at` is of none. */
static int is_count(const char *at, const char *end)
{
    while (at < end && is_blank(*at)) at++;
    const char *word = at;
    while (at < end && is_letter(*at)) at++;
    return is_word(word, (size_t)(at - word), counted_words,
                   sizeof counted_words / sizeof *counted_words);
}

/* A number in prose, moved past it; -1: it is of no document. */
static double take_mentioned(struct reading *reading, const char **at, const char *end)
{
    const char *start = *at;
    double number = take_number(at, end, reading->is_cut);
    if (number < 0) reading->has_fraction |= memchr(start, '.', (size_t)(*at - start)) != NULL;
    if (number == 0) reading->has_zero = 1;
    if (is_count(*at, end)) return -1;
    list_add(&reading->mentioned, reading->n_documents, number, 0);
    return number;
}

/* "2." or "2)" at the beginning of the second line of a list that something follows: moves past
 * it. */
static int take_marker(const char **at, const char *end, size_t expected)
{
    const char *p = *at;
    if (p == end || !is_digit(*p)) return 0;
    size_t number = 0;
    for (; p < end && is_digit(*p) && number < 100000; p++)
        number = number * 10 + (size_t)(*p - '0');
    if (number != expected || p + 1 >= end || (*p != '.' && *p != ')') || !is_blank(p[1])) return 0;
    for (p++; p < end && is_blank(*p);) p++;
    if (p == end || *p == '\n') return 0;
    *at = p;
    return 1;
}

/* Rows of numbers with nothing but signs and fillers between; a colon after a number ends one, as
 * in "the best 3: ". Whether there were other words. */
static int read_rows(struct reading *reading, const char *at, const char *end)
{
    int begins_line = 1, follows_number = 0, has_words = 0;
    size_t n_markers = 0;
    while (at < end) {
        char c = *at;
        if (begins_line && take_marker(&at, end, n_markers + 1)) {
            n_markers++;
        } else if (is_digit(c) || (c == '-' && at + 1 < end && is_digit(at[1]))) {
            at += c == '-';
            double number = take_mentioned(reading, &at, end);
            if (c != '-') list_add(&reading->trial, reading->n_documents, number, 0);
            follows_number = 1;
        } else if (begins_word(c)) {
            follows_number = 0;
            if (!take_filler(&at, end)) {
                has_words = 1;
                keep(reading, 0);
            }
        } else {
            at++;
            reading->is_compared |= c == '>';
            if (c == ':' && follows_number) keep(reading, 0);
        }
        begins_line = c == '\n' || (begins_line && is_blank(c));
    }
    keep(reading, 0);
    return has_words;
}

/* The number that a line begins with, after a marker and signs: "[3] Batman", "Document 3: ...",
 * "3: ...", but not "12 Angry Men". */
static double number_of_line(const char *at, const char *end, size_t n_lines, int is_cut,
                             int *has_marker)
{
    int is_marked = 0;
    while (at < end && is_blank(*at)) at++;
    *has_marker = take_marker(&at, end, n_lines + 1);
    while (at < end && !is_digit(*at)) {
        if (begins_word(*at)) {
            if (!take_filler(&at, end)) return -1;
            is_marked = 1;
        } else {
            is_marked = is_marked || *at == '[' || *at == '(' || *at == '#';
            at++;
        }
    }
    if (at == end) return -1;
    double number = take_number(&at, end, is_cut);
    while (at < end && is_blank(*at)) at++;
    int stands_alone = at == end || strchr(":,-])*", *at) != NULL;
    return is_marked || stands_alone ? number : -1;
}

struct lines {
    size_t n, n_marked; /* that begin with a number of a document; with a marker before it */
};

/* Adds the numbers that lines begin with; or mentions those of the other lines. */
static struct lines scan_lines(struct reading *reading, const char *at, const char *end,
                               int are_others)
{
    struct lines lines = {0, 0};
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        int has_marker, is_cut = reading->is_cut && line_end == NULL;
        if (line_end == NULL) line_end = end;
        double number = number_of_line(at, line_end, lines.n, is_cut, &has_marker);
        if (number >= 0) {
            if (!are_others) list_add(&reading->trial, reading->n_documents, number, 0);
            lines.n++;
            lines.n_marked += (size_t)has_marker;
        }
        while (number < 0 && are_others && at < line_end) {
            if (is_digit(*at)) take_mentioned(reading, &at, line_end);
            else at++;
        }
        at = line_end + (line_end < end);
    }
    return lines;
}

/* Lines go before rows where there are more of them. Such as are in the order that the documents
 * were given in, and not numbered, may tell of each of them how good it is. */
static void read_lines(struct reading *reading, const char *at, const char *end)
{
    struct lines lines = scan_lines(reading, at, end, 0);
    if (reading->trial.n > reading->best.n) {
        keep(reading, 0);
        reading->is_doubtful =
            is_as_given(&reading->best) && (lines.n_marked < lines.n || reading->has_fraction);
        list_clear(&reading->mentioned);
        scan_lines(reading, at, end, 1);
    }
    list_clear(&reading->trial);
}

/* Whether a list in prose is the order of all that the prose tells of. */
static int is_whole(const struct reading *reading)
{
    const struct list *best = &reading->best, *mentioned = &reading->mentioned;
    if (reading->is_doubtful) return 0;
    if (reading->has_zero && !best->seen[reading->n_documents - 1]) return 0; /* they begin at 0 */
    if (reading->is_followed && !reading->is_compared && is_as_given(best)) return 0;
    for (size_t i = 0; i < mentioned->n; i++)
        if (!best->seen[mentioned->places[i]]) return 0;
    return 1;
}

/* A row of one number among words is no list, but it is one alone. */
static void read_prose(struct reading *reading, const char *at, const char *end)
{
    list_clear(&reading->best);
    list_clear(&reading->mentioned);
    reading->is_doubtful = reading->is_followed = reading->is_compared = 0;
    reading->has_zero = reading->has_fraction = 0;
    int has_words = read_rows(reading, at, end);
    read_lines(reading, at, end);
    int is_one = reading->best.n == 1 && reading->n_documents > 1 && has_words;
    if (is_one || !is_whole(reading)) list_clear(&reading->best);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* The only number in a text, else -1. */
static double number_of_text(const char *text)
{
    const char *end = text + strlen(text);
    double number = -1;
    while (text < end) {
        if (!is_digit(*text)) {
            text++;
            continue;
        }
        if (number >= 0) return -1;
        number = take_number(&text, end, 0);
    }
    return number;
}

/* The number of a document that an element of a list is, else -1. */
static double number_of(const cJSON *element)
{
    if (cJSON_IsArray(element) && cJSON_GetArraySize(element) == 1) element = element->child;
    for (size_t i = 0; cJSON_IsObject(element) && i < sizeof number_members / sizeof(char *); i++) {
        const cJSON *member = cJSON_GetObjectItem(element, number_members[i]);
        if (member != NULL && !cJSON_IsObject(member)) element = member;
    }
    if (cJSON_IsNumber(element)) return element->valuedouble;
    return cJSON_IsString(element) ? number_of_text(element->valuestring) : -1;
}

/* What each of the list's objects tells as its rank, else as its score; NULL: neither. */
static const char *find_key(const cJSON *list)
{
    for (size_t i = 0; i < sizeof key_members / sizeof *key_members; i++) {
        const cJSON *element = list->child;
        while (element != NULL && cJSON_IsNumber(cJSON_GetObjectItem(element, key_members[i])))
            element = element->next;
        if (element == NULL) return key_members[i];
    }
    return NULL;
}

/* Elements that are all numbers below the documents', one of them 0, count from 0 on. */
static int counts_from_zero(const struct reading *reading, const cJSON *list)
{
    int has_zero = 0;
    const cJSON *element;
    cJSON_ArrayForEach(element, list)
    {
        double number = number_of(element);
        if (number < 0 || number >= (double)reading->n_documents) return 0;
        has_zero |= number == 0;
    }
    return has_zero;
}

static void read_list(struct reading *reading, const cJSON *list, int is_named)
{
    int base = counts_from_zero(reading, list);
    const char *name = find_key(list);
    double sign = name == key_members[0] ? -1 : 1;
    const cJSON *element;
    cJSON_ArrayForEach(element, list)
    {
        double key = name != NULL ? cJSON_GetObjectItem(element, name)->valuedouble : 0;
        list_add(&reading->trial, reading->n_documents, number_of(element) + base, sign * key);
    }
    /* Of a part, it is not certain. */
    if (base != 0 && reading->trial.n < reading->n_documents) list_clear(&reading->trial);
    keep(reading, is_named);
}

/* {"1": 0.2, "2": 0.9}: scores of documents. Whole numbers may be their ranks as well. */
static void read_map(struct reading *reading, const cJSON *map, int is_named)
{
    int has_fraction = 0;
    const cJSON *member;
    cJSON_ArrayForEach(member, map)
    {
        if (!cJSON_IsNumber(member) || number_of_text(member->string) < 1) return;
        has_fraction |= member->valuedouble != floor(member->valuedouble);
    }
    if (!has_fraction) return;
    cJSON_ArrayForEach(member, map)
    {
        list_add(&reading->trial, reading->n_documents, number_of_text(member->string),
                 member->valuedouble);
    }
    keep(reading, is_named);
}

/* Numbers under such a name stand in the documents' order. */
static int is_of_each(const char *name)
{
    size_t size = name == NULL ? 0 : strlen(name);
    return size >= 5 &&
           (strcasecmp(name, "ranks") == 0 || strcasecmp(name + size - 5, "score") == 0 ||
            (size >= 6 && strcasecmp(name + size - 6, "scores") == 0));
}

static void read_value(struct reading *reading, const cJSON *value, int is_named, int depth)
{
    if (cJSON_IsString(value) && is_named) {
        const char *text = value->valuestring;
        read_prose(reading, text, text + strlen(text));
        reading->is_named = reading->best.n > 0;
    }
    if (!cJSON_IsArray(value) && !cJSON_IsObject(value)) return;
    if (cJSON_IsArray(value) && value->child != NULL && !is_of_each(value->string))
        read_list(reading, value, is_named);
    if (cJSON_IsObject(value) && value->child != NULL) {
        reading->has_object = 1;
        read_map(reading, value, is_named);
        /* The question once more. */
        if (cJSON_HasObjectItem(value, "query") && cJSON_HasObjectItem(value, "documents")) return;
    }
    if (depth == MAX_DEPTH) return;
    const cJSON *element;
    cJSON_ArrayForEach(element, value)
    {
        int is_ranking = element->string != NULL && strcasecmp(element->string, "ranking") == 0;
        read_value(reading, element, is_ranking, depth + 1);
    }
}

static void read_json(struct reading *reading, const char *at, const char *end)
{
    for (int n = 0; at < end && n < MAX_VALUES; n++) {
        while (at < end && *at != '{' && *at != '[') at++;
        if (at == end) return;
        const char *value_end = NULL;
        cJSON *value = cJSON_ParseWithLengthOpts(at, (size_t)(end - at), &value_end, 0);
        read_value(reading, value, 0, 0);
        at = value != NULL && value_end > at ? value_end : at + 1;
        cJSON_Delete(value);
    }
}

/* ---- the text -------------------------------------------------------------------------------- */

/* The last place of the words in the text, in any case; NULL: none. */
static const char *find_last(struct span text, const char *words)
{
    size_t size = strlen(words);
    for (size_t i = text.size < size ? 0 : text.size - size + 1; i-- > 0;)
        if (text.data[i] == words[0] && strncasecmp(text.data + i, words, size) == 0)
            return text.data + i;
    return NULL;
}

/* What follows the reasoning; of one that does not end, what goes before it. Templates may have
 * opened it already, so that only its end is in the answer. */
static struct span without_reasoning(struct span text)
{
    for (size_t i = 0; i < sizeof reasoning_tags / sizeof *reasoning_tags; i++) {
        const char *opened = find_last(text, reasoning_tags[i][0]),
                   *closed = find_last(text, reasoning_tags[i][1]);
        if (closed != NULL && (opened == NULL || opened < closed)) {
            closed += strlen(reasoning_tags[i][1]);
            text = (struct span){closed, text.size - (size_t)(closed - text.data)};
        } else if (opened != NULL) {
            text.size = (size_t)(opened - text.data);
        }
    }
    return text;
}

static void read_text(struct reading *reading, struct span text)
{
    const char *end = text.data + text.size;
    read_json(reading, text.data, end);
    if (reading->is_named) return;
    if (reading->best.n <= 1 && !reading->has_object) read_prose(reading, text.data, end);
    else if (reading->best.n <= 1 || reading->is_doubtful) list_clear(&reading->best);
}

int api_ranking_read(struct span text, size_t n, int is_cut, size_t *order, size_t *n_named,
                     struct error *err)
{
    struct reading reading = {.n_documents = n, .is_cut = is_cut};
    int rc = 0, has_first = list_init(&reading.best, n), has_second = list_init(&reading.trial, n),
        has_third = list_init(&reading.mentioned, n);
    *n_named = 0;
    if (!has_first || !has_second || !has_third) {
        rc = error_nomem(err);
    } else {
        read_text(&reading, without_reasoning(text));
        *n_named = reading.best.n;
        for (size_t i = 0; i < *n_named; i++) order[i] = reading.best.places[i];
        for (size_t i = 0, at = *n_named; i < n; i++)
            if (!reading.best.seen[i]) order[at++] = i;
    }
    list_deinit(&reading.best);
    list_deinit(&reading.trial);
    list_deinit(&reading.mentioned);
    return rc;
}
