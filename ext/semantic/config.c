#include "semantic/config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "sqlite/statement.h"
#include "vector/codec.h"

#define OPTION_NAMES                                                                               \
    "content, text, document, model, reranker, candidates, metric, quantize, storage, "            \
    "partitions, dimensions, content_rowid, upkeep, lexical, tokenizer, fusion, weight"

static const char *const affinities[] = {"TEXT", "INTEGER", "REAL", "NUMERIC", "BLOB"};

static const char *const hidden_names[] = {"query",     "k",    "similarity", "distance",
                                           "relevance", "rank", "embedding",  "rowid"};

const char *const semantic_words_names[N_WORDS_COLUMNS] = {"score", "bm25", "fusion", "weight"};

static int is_space(char c)
{
    return isspace((unsigned char)c);
}

static int is_name_character(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static int parse_count(const char *name, const char *value, size_t limit, size_t *count,
                       struct error *err)
{
    size_t n = 0;
    const char *p = value;
    for (; *p >= '0' && *p <= '9' && n <= limit; p++) n = n * 10 + (size_t)(*p - '0');
    if (p == value || *p != '\0' || n < 1 || n > limit)
        return error_set(err, ERROR_INVALID, "%s must be an integer from 1 to %zu, not '%.100s'",
                         name, limit, value);
    *count = n;
    return 0;
}

/* One of n short names. */
static int parse_choice(const char *name, const char *value, const char *const *choices, int n,
                        int *choice, struct error *err)
{
    char list[128] = "";
    for (int i = 0; i < n; i++) {
        size_t used = strlen(list);
        if (sqlite3_stricmp(value, choices[i]) == 0) {
            *choice = i;
            return 0;
        }
        snprintf(list + used, sizeof list - used, "%s'%s'",
                 i == 0       ? ""
                 : i == n - 1 ? " or "
                              : ", ",
                 choices[i]);
    }
    return error_set(err, ERROR_INVALID, "%s must be %s, not '%.100s'", name, list, value);
}

static int set_string(const char *name, const char *value, char **target, struct error *err)
{
    if (*value == '\0') return error_set(err, ERROR_INVALID, "option %s is empty", name);
    *target = memory_copy(value, strlen(value));
    return *target == NULL ? error_nomem(err) : 0;
}

/* Up to 15 digits, which are a double to the last bit in any locale. */
int semantic_weight_parse(const char *value, double *weight, struct error *err)
{
    double n = 0.0, unit = 1.0;
    int n_digits = 0, point = 0;
    const char *p = value;
    for (; (*p >= '0' && *p <= '9') || (*p == '.' && !point); p++) {
        if (*p == '.') {
            point = 1;
            continue;
        }
        n = n * 10.0 + (*p - '0');
        if (point) unit *= 10.0;
        if (++n_digits > 15) break;
    }
    if (*p != '\0' || n_digits == 0 || n > unit)
        return error_set(err, ERROR_INVALID,
                         "weight must be a number from 0 (words alone) to 1 (vectors alone), not "
                         "'%.100s'",
                         value);
    *weight = n / unit;
    return 0;
}

static int set_option(struct semantic_config *config, const char *name, const char *value,
                      struct error *err)
{
    static const char *const quantizers[3] = {"none", "int8", "bit"};
    static const char *const storages[INDEX_VECTORS] = {"float32", "int8", "float16"};
    static const char *const keepers[2] = {"none", "triggers"};
    static const char *const lexicals[2] = {"none", "fts5"};
    int choice = 0, rc;
    if (strcmp(name, "content") == 0) return set_string(name, value, &config->content, err);
    if (strcmp(name, "content_rowid") == 0)
        return set_string(name, value, &config->content_rowid, err);
    if (strcmp(name, "model") == 0) return set_string(name, value, &config->model, err);
    if (strcmp(name, "reranker") == 0) return set_string(name, value, &config->reranker, err);
    if (strcmp(name, "text") == 0) return name_list_parse(value, &config->text, err);
    if (strcmp(name, "document") == 0) return name_list_parse(value, &config->document, err);
    if (strcmp(name, "candidates") == 0)
        return parse_count(name, value, 1000000, &config->candidates, err);
    if (strcmp(name, "dimensions") == 0)
        return parse_count(name, value, VECTOR_MAX_DIMENSIONS, &config->dimensions, err);
    if (strcmp(name, "metric") == 0) {
        const char *metrics[INDEX_METRICS];
        for (int i = 0; i < INDEX_METRICS; i++) metrics[i] = index_metrics[i].name;
        if ((rc = parse_choice(name, value, metrics, INDEX_METRICS, &choice, err)) == 0)
            config->metric = (enum index_metric)choice;
        return rc;
    }
    if (strcmp(name, "quantize") == 0) {
        if ((rc = parse_choice(name, value, quantizers, 3, &choice, err)) == 0)
            config->quantize = (enum index_quantize)choice;
        return rc;
    }
    if (strcmp(name, "storage") == 0) {
        if ((rc = parse_choice(name, value, storages, INDEX_VECTORS, &choice, err)) == 0)
            config->storage = choice;
        return rc;
    }
    if (strcmp(name, "partitions") == 0) {
        config->partitions = STORE_AUTO;
        if (sqlite3_stricmp(value, "auto") == 0) return 0;
        rc = parse_count(name, value, INDEX_MAX_PARTITIONS, &config->partitions, err);
        if (rc != 0) error_context(err, "partitions is 'auto' or a number");
        return rc;
    }
    if (strcmp(name, "upkeep") == 0)
        return parse_choice(name, value, keepers, 2, &config->upkeep, err);
    if (strcmp(name, "lexical") == 0)
        return parse_choice(name, value, lexicals, 2, &config->lexical, err);
    if (strcmp(name, "tokenizer") == 0) return set_string(name, value, &config->tokenizer, err);
    if (strcmp(name, "weight") == 0) return semantic_weight_parse(value, &config->weight, err);
    if (strcmp(name, "fusion") == 0) {
        if ((rc = parse_choice(name, value, fusion_names, FUSION_KINDS, &choice, err)) == 0)
            config->fusion = (enum fusion_kind)choice;
        return rc;
    }
    return error_set(err, ERROR_INVALID, "unknown option '%.100s' (there are: %s)", name,
                     OPTION_NAMES);
}

static void note_need(struct semantic_config *config, const char *name)
{
    static const char *const of_words[] = {"tokenizer", "fusion", "weight"};
    for (size_t i = 0; i < sizeof of_words / sizeof *of_words; i++)
        if (strcmp(name, of_words[i]) == 0) config->needs_words = of_words[i];
}

/* One "name = value" argument. *seen has one bit an option already given. */
static int parse_option(const char *argument, struct semantic_config *config,
                        struct name_list *seen, struct error *err)
{
    struct buffer name, value;
    buffer_init(&name, 1 << 10);
    buffer_init(&value, 1 << 20);
    const char *p = argument;
    while (is_space(*p)) p++;
    const char *start = p;
    while (is_name_character(*p)) p++;
    int rc = 0;
    for (const char *c = start; rc == 0 && c < p; c++) {
        char lower = (char)tolower((unsigned char)*c);
        rc = buffer_append(&name, &lower, 1, err);
    }
    if (rc == 0) rc = buffer_append(&name, "", 1, err);
    while (is_space(*p)) p++;
    if (rc == 0 && (*p != '=' || name.size == 1))
        rc = error_set(err, ERROR_INVALID, "expected option = value, not '%.100s' (options: %s)",
                       argument, OPTION_NAMES);
    if (rc != 0) goto done;
    for (p++; is_space(*p);) p++;
    if ((rc = name_list_read_word(&p, "", &value, err)) != 0) goto done;
    while (is_space(*p)) p++;
    if (*p != '\0') {
        rc = error_set(err, ERROR_INVALID, "option %s: unexpected '%.100s' after its value",
                       name.data, p);
        goto done;
    }
    for (size_t i = 0; rc == 0 && i < seen->n_names; i++)
        if (strcmp(seen->names[i], name.data) == 0)
            rc = error_set(err, ERROR_INVALID, "option %s is given twice", name.data);
    if (rc == 0) rc = buffer_append(&value, "", 1, err);
    if (rc == 0) rc = name_list_add(seen, name.data, name.size - 1, err);
    if (rc == 0) rc = set_option(config, name.data, value.data, err);
    if (rc == 0) note_need(config, name.data);
done:
    buffer_deinit(&name);
    buffer_deinit(&value);
    return rc;
}

int semantic_config_parse(int argc, const char *const *argv, struct semantic_config *config,
                          struct error *err)
{
    *config = (struct semantic_config){
        .candidates = 25, .storage = -1, .lexical = -1, .weight = FUSION_WEIGHT};
    struct name_list seen = {0};
    int rc = 0;
    for (int i = 3; rc == 0 && i < argc; i++) rc = parse_option(argv[i], config, &seen, err);
    name_list_deinit(&seen);
    if (rc != 0) return rc;
    if (config->content == NULL &&
        (config->text.n_names > 0 || config->document.n_names > 0 || config->content_rowid))
        return error_set(err, ERROR_INVALID,
                         "options text, document and content_rowid need content: without it the "
                         "table keeps a text column of its own");
    if (config->content == NULL && config->upkeep)
        return error_set(err, ERROR_INVALID,
                         "option upkeep needs content: a table with texts of its own is in step");
    if (config->content != NULL && config->text.n_names == 0)
        return error_set(err, ERROR_INVALID,
                         "option text is missing: name the columns of %s to embed",
                         config->content);
    return 0;
}

void semantic_config_deinit(struct semantic_config *config)
{
    memory_free(config->content);
    memory_free(config->content_rowid);
    memory_free(config->model);
    memory_free(config->reranker);
    memory_free(config->tokenizer);
    name_list_deinit(&config->text);
    name_list_deinit(&config->document);
    *config = (struct semantic_config){0};
}

int semantic_column_is_ours(const char *table, const char *name)
{
    for (size_t i = 0; i < sizeof hidden_names / sizeof *hidden_names; i++)
        if (sqlite3_stricmp(name, hidden_names[i]) == 0) return 1;
    return sqlite3_stricmp(name, table) == 0;
}

const char *semantic_affinity(const char *word)
{
    for (size_t i = 0; i < sizeof affinities / sizeof *affinities; i++)
        if (sqlite3_stricmp(word, affinities[i]) == 0) return affinities[i];
    return NULL;
}

const char *semantic_affinity_of_type(const char *type)
{
    if (sqlite3_strlike("%INT%", type, 0) == 0) return "INTEGER";
    if (sqlite3_strlike("%CHAR%", type, 0) == 0 || sqlite3_strlike("%CLOB%", type, 0) == 0 ||
        sqlite3_strlike("%TEXT%", type, 0) == 0)
        return "TEXT";
    if (*type == '\0' || sqlite3_strlike("%BLOB%", type, 0) == 0) return "BLOB";
    if (sqlite3_strlike("%REAL%", type, 0) == 0 || sqlite3_strlike("%FLOA%", type, 0) == 0 ||
        sqlite3_strlike("%DOUB%", type, 0) == 0)
        return "REAL";
    return "NUMERIC";
}

void semantic_columns_free(struct semantic_column *columns, size_t n_columns)
{
    for (size_t i = 0; i < n_columns; i++) {
        memory_free(columns[i].name);
        memory_free(columns[i].type);
        memory_free(columns[i].collation);
    }
    memory_free(columns);
}

int semantic_config_find_content(sqlite3 *db, const char *schema, const char *content, int *found,
                                 struct error *err)
{
    sqlite3_stmt *statement;
    if (sqlite3_strnicmp(content, "sqlite_", 7) == 0)
        return error_set(err, ERROR_INVALID, "%.100s belongs to SQLite: name a table or view",
                         content);
    int rc = statement_prepare(db, &statement, err,
                               "SELECT 1 FROM \"%w\".sqlite_master WHERE type IN ('table', 'view') "
                               "AND name = %Q COLLATE nocase",
                               schema, content);
    if (rc == 0) rc = statement_step(db, statement, found, err);
    sqlite3_finalize(statement);
    return rc;
}

int semantic_config_defaults(struct semantic_config *config, struct error *err)
{
    int rc = 0;
    if (config->content == NULL) return 0;
    if (config->content_rowid == NULL)
        rc = set_string("content_rowid", "rowid", &config->content_rowid, err);
    if (config->document.n_names > 0) return rc;
    for (size_t i = 0; rc == 0 && i < config->text.n_names; i++)
        rc = name_list_add(&config->document, config->text.names[i], strlen(config->text.names[i]),
                           err);
    return rc;
}
