/*
 * config.h: what CREATE VIRTUAL TABLE ... USING semantic_index(...) says, parsed and
 * checked.
 */
#ifndef SEMANTIC_CONFIG_H
#define SEMANTIC_CONFIG_H

#include "index/block.h"
#include "semantic/fusion.h"
#include "sqlite/api.h"
#include "sqlite/name_list.h"
#include "store/store.h"

/* One visible column: its name, the affinity that the content table gives it ("TEXT", "INTEGER",
 * "REAL", "NUMERIC", "BLOB"; static), and how it compares texts. */
struct semantic_column {
    char *name; /* owned */
    const char *affinity;
    char *type;      /* owned; as it was declared, by which drivers convert; NULL: the affinity */
    char *collation; /* owned; NULL: byte for byte */
    int is_rowid;    /* the content's rowid under another name */
};

/* Hidden columns of an index with words alone, which stand behind those of the content; but for
 * names that the content has: that column is the content's. */
enum semantic_words_column { WORDS_SCORE, WORDS_BM25, WORDS_FUSION, WORDS_WEIGHT, N_WORDS_COLUMNS };
extern const char *const semantic_words_names[N_WORDS_COLUMNS];

/* Options, as written. NULL strings and empty lists were not given. All owned. */
struct semantic_config {
    char *content, *content_rowid, *model, *reranker;
    struct name_list text, document;
    size_t candidates; /* 1 or more */
    size_t dimensions; /* 0: learnt from the first vector */
    enum index_metric metric;
    enum index_quantize quantize;
    int storage;             /* enum index_vectors; -1: not given */
    size_t partitions;       /* 0: a search looks at all rows; STORE_AUTO */
    int upkeep;              /* by triggers */
    int lexical;             /* it has words, an FTS5 table; -1: not given */
    char *tokenizer;         /* of that */
    const char *needs_words; /* an option that was given and is of words; NULL: none; static */
    enum fusion_kind fusion;
    double weight; /* of the vectors; 1 where there are no words */
};

/* argv as xCreate gets it: module, schema, table, then the options. ERROR_INVALID names what is
 * wrong. */
int semantic_config_parse(int argc, const char *const *argv, struct semantic_config *config,
                          struct error *err);
void semantic_config_deinit(struct semantic_config *config);

/* What was not given: content_rowid is the rowid, and the reranker reads what was embedded. */
int semantic_config_defaults(struct semantic_config *config, struct error *err);

/* A weight as a decimal number from 0 to 1; ERROR_INVALID. */
int semantic_weight_parse(const char *value, double *weight, struct error *err);

void semantic_columns_free(struct semantic_column *columns, size_t n_columns);

/* True if the name is one of the hidden columns that every index has, the table's own name, or
 * rowid. Case is ignored. */
int semantic_column_is_ours(const char *table, const char *name);

/* One of the five affinities, as a static string; NULL for another word. */
const char *semantic_affinity(const char *word);

/* The affinity of a declared type, by the rules of sqlite.org/datatype3.html section 3.1. */
const char *semantic_affinity_of_type(const char *type);

/* *found: the schema has a table or view of that name. What is there without being created
 * (rerank_models, the tables of pragmas) does not count: SQLite lets no schema read some of it, but
 * would not know that a schema asks. ERROR_INVALID for a table of SQLite's own. */
int semantic_config_find_content(sqlite3 *db, const char *schema, const char *content, int *found,
                                 struct error *err);

#endif
