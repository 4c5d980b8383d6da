#include "semantic/plan.h"

#include <stdio.h>
#include <string.h>

#include "semantic/columns.h"

/*
 *  plan       arguments                                   estimated cost   rows
 *  search     query [k] [limit [offset]] [fusion] [weight]        10 000   25, or many
 *             [conditions...]
 *  lookup     rowid, or the key of a keyed index                   6 000   1
 *  listing    -                                                      1e9   1 000 000
 *
 * Conditions on columns of this table count before the k are taken: on the content's columns, the
 * rowid, similarity, distance, rank, score and bm25. SQLite looks at them again (omit is not set),
 * so that they need let through no less than it does, and is asked for them whatever else it does
 * with them.
 *
 * A condition whose other side is a column of a joined table can be had in some plans only, and
 * would mean another thing there. A search costs the same, and gives as many rows, with conditions
 * or without. So of two such plans SQLite drops the one that needs the other table: what joined
 * tables say counts after the k. A query or a k that cannot be had rules the plan out. What CROSS
 * JOIN and LEFT JOIN put first can always be had, and cannot be told from a value; on the rowid,
 * which joins are made by, only what is known to be a value counts before (request.c).
 *
 * Two lookups cost more than a search: SQLite must not make the branches of an OR searches of their
 * own, each of which would take k.
 *
 * The key of a keyed index counts as its rowid, compared byte for byte; so does an integer key by
 * its name.
 */

#define SEARCH_COST 10000
#define LOOKUP_COST 6000
#define LISTING_COST 1e9

/* sqlite3_vtab_in knows IN among so many constraints. */
#define MAX_CONSTRAINTS 32

enum {
    ARGUMENT_QUERY,
    ARGUMENT_K,
    ARGUMENT_LIMIT,
    ARGUMENT_OFFSET,
    ARGUMENT_FUSION,
    ARGUMENT_WEIGHT,
    ARGUMENT_ROWID,
    N_ARGUMENTS
};

/* Constraint numbers, -1 where there is none. */
struct found {
    int argument[N_ARGUMENTS];
    int k_other;   /* a condition on k that says nothing of how many, as k > n */
    int rank_list; /* rank IN (...) is there */
    int others;    /* SQLite looks at some constraint after the k */
    int unusable;  /* a query, k, fusion or weight is asked for but not to be had in this plan */
};

static int is_query(const struct sqlite3_index_constraint *constraint)
{
    int op = constraint->op, column = constraint->iColumn;
    return (op == SQLITE_INDEX_CONSTRAINT_EQ &&
            (column == COLUMN_QUERY || column == COLUMN_TABLE)) ||
           (op == SQLITE_INDEX_CONSTRAINT_MATCH && column == COLUMN_TABLE);
}

/* The rowid, or what stands for it. */
static int is_rowid(const struct semantic_table *table, sqlite3_index_info *info, int i)
{
    int column = info->aConstraint[i].iColumn;
    if (column == -1) return 1;
    return table->key != SIZE_MAX && column == COLUMN_CONTENT + (int)table->key &&
           sqlite3_stricmp(sqlite3_vtab_collation(info, i), "BINARY") == 0;
}

/* The rowid by the name that the content has for it: as the rowid, but for a listing. */
static int is_rowid_column(const struct semantic_table *table, int column)
{
    return table->rowid_column != SIZE_MAX && column == COLUMN_CONTENT + (int)table->rowid_column;
}

static int is_at_most(int op)
{
    return op == SQLITE_INDEX_CONSTRAINT_LE || op == SQLITE_INDEX_CONSTRAINT_LT;
}

static int is_at_least(int op)
{
    return op == SQLITE_INDEX_CONSTRAINT_GE || op == SQLITE_INDEX_CONSTRAINT_GT;
}

/* k = n, k IS n */
static int is_exactly(int op)
{
    return op == SQLITE_INDEX_CONSTRAINT_EQ || op == SQLITE_INDEX_CONSTRAINT_IS;
}

/* ---- conditions ------------------------------------------------------------------------------ */

/* Does the content understand it? MATCH is for tables that have an index of it. */
static int is_for_content(int op)
{
    switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
    case SQLITE_INDEX_CONSTRAINT_GT:
    case SQLITE_INDEX_CONSTRAINT_LE:
    case SQLITE_INDEX_CONSTRAINT_LT:
    case SQLITE_INDEX_CONSTRAINT_GE:
    case SQLITE_INDEX_CONSTRAINT_LIKE:
    case SQLITE_INDEX_CONSTRAINT_GLOB:
    case SQLITE_INDEX_CONSTRAINT_REGEXP:
    case SQLITE_INDEX_CONSTRAINT_NE:
    case SQLITE_INDEX_CONSTRAINT_ISNOT:
    case SQLITE_INDEX_CONSTRAINT_ISNOTNULL:
    case SQLITE_INDEX_CONSTRAINT_ISNULL:
    case SQLITE_INDEX_CONSTRAINT_IS:
        return 1;
    default:
        return 0;
    }
}

/* Does it count before the k? */
static int is_condition(const struct semantic_table *table, sqlite3_index_info *info, int i)
{
    const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
    int op = constraint->op, column = constraint->iColumn;
    if (!constraint->usable || op == SQLITE_INDEX_CONSTRAINT_LIMIT ||
        op == SQLITE_INDEX_CONSTRAINT_OFFSET)
        return 0;
    int words = columns_of_words(table, column);
    if (column == COLUMN_SIMILARITY || column == COLUMN_DISTANCE || column == COLUMN_RANK ||
        words == WORDS_SCORE || words == WORDS_BM25)
        return is_at_most(op) || is_at_least(op) ||
               (is_exactly(op) && !sqlite3_vtab_in(info, i, -1));
    return (column == -1 || column >= COLUMN_CONTENT) && words < 0 && is_for_content(op) &&
           strlen(sqlite3_vtab_collation(info, i)) <
               sizeof((struct plan_condition *)NULL)->collation;
}

/* A line of idxStr, see plan_next_condition. */
static void append_condition(sqlite3_index_info *info, int i, sqlite3_str *list)
{
    sqlite3_value *value;
    int op = info->aConstraint[i].op, column = info->aConstraint[i].iColumn;
    int is_literal = sqlite3_vtab_rhs_value(info, i, &value) == SQLITE_OK;
    int is_list = op == SQLITE_INDEX_CONSTRAINT_EQ && sqlite3_vtab_in(info, i, 1);
    sqlite3_str_appendf(list, "%d %d %d %d %s\n", op, column, is_list, is_literal,
                        sqlite3_vtab_collation(info, i));
}

int plan_next_condition(const char **at, struct plan_condition *condition)
{
    int n = 0;
    if (*at == NULL || **at == '\0') return 0;
    if (sscanf(*at, "%d %d %d %d %n", &condition->op, &condition->column, &condition->is_list,
               &condition->is_literal, &n) != 4)
        return 0;
    const char *end = strchr(*at + n, '\n');
    if (end == NULL) return 0;
    size_t size = (size_t)(end - (*at + n));
    if (size >= sizeof condition->collation) return 0;
    memcpy(condition->collation, *at + n, size);
    condition->collation[size] = '\0';
    *at = end + 1;
    return 1;
}

/* ---- plans ----------------------------------------------------------------------------------- */

static void find_constraint(const struct semantic_table *table, sqlite3_index_info *info, int i,
                            struct found *found)
{
    const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
    int op = constraint->op, column = constraint->iColumn;
    int is_equal = op == SQLITE_INDEX_CONSTRAINT_EQ, which = -1;
    if (is_query(constraint)) which = ARGUMENT_QUERY;
    if (column == COLUMN_K && (is_exactly(op) || is_at_most(op))) which = ARGUMENT_K;
    if (is_exactly(op) && columns_of_words(table, column) == WORDS_FUSION) which = ARGUMENT_FUSION;
    if (is_exactly(op) && columns_of_words(table, column) == WORDS_WEIGHT) which = ARGUMENT_WEIGHT;
    if (column == COLUMN_K && which < 0 && op != SQLITE_INDEX_CONSTRAINT_ISNULL) found->k_other = 1;
    if (column == COLUMN_RANK && is_equal && constraint->usable && sqlite3_vtab_in(info, i, -1))
        found->rank_list = 1;
    if (which >= 0 && !constraint->usable) found->unusable = 1;
    if (!constraint->usable) {
        found->others = 1;
        return;
    }
    if (op == SQLITE_INDEX_CONSTRAINT_LIMIT) which = ARGUMENT_LIMIT;
    if (op == SQLITE_INDEX_CONSTRAINT_OFFSET) which = ARGUMENT_OFFSET;
    if (is_equal && is_rowid(table, info, i)) which = ARGUMENT_ROWID;
    /* k = n says more than k <= n. */
    if (which == ARGUMENT_K && is_exactly(op) && found->argument[which] >= 0 &&
        is_at_most(info->aConstraint[found->argument[which]].op))
        found->argument[which] = -1;
    /* Whether it is a value is not known yet. */
    if (is_equal && (which == ARGUMENT_ROWID || is_rowid_column(table, column)) &&
        !sqlite3_vtab_in(info, i, -1))
        found->others = 1;
    if (which < 0 || found->argument[which] >= 0) {
        if (!is_condition(table, info, i)) found->others = 1;
        return;
    }
    found->argument[which] = i;
}

static void use(sqlite3_index_info *info, const struct found *found, int which, int flag,
                int *n_arguments)
{
    int i = found->argument[which];
    if (i < 0) return;
    int op = info->aConstraint[i].op;
    info->aConstraintUsage[i].argvIndex = ++*n_arguments;
    /* SQLite cuts and skips itself: the order may be another one, rows may be left out. */
    info->aConstraintUsage[i].omit =
        which != ARGUMENT_LIMIT && which != ARGUMENT_OFFSET && !is_at_most(op);
    info->idxNum |= flag;
    if (which == ARGUMENT_K && op == SQLITE_INDEX_CONSTRAINT_LE) info->idxNum |= PLAN_K_AT_MOST;
    if (which == ARGUMENT_K && op == SQLITE_INDEX_CONSTRAINT_LT) info->idxNum |= PLAN_K_LESS;
}

/* The one order that the plan gives, if it is the one asked for. */
static void consume_order(const struct semantic_table *table, sqlite3_index_info *info,
                          int searches)
{
    if (info->nOrderBy != 1) return;
    int column = info->aOrderBy[0].iColumn, descending = info->aOrderBy[0].desc;
    if (!searches) {
        info->orderByConsumed = column == -1 && !descending;
        return;
    }
    /* The candidates of a reranker are not in the order of their scores. */
    if (columns_of_words(table, column) == WORDS_SCORE)
        info->orderByConsumed = descending && !(info->idxNum & PLAN_RELEVANCE);
    /* Words count in the ranking, too. */
    int is_fused = table->store.tokenizer != NULL;
    switch (column) {
    case COLUMN_SIMILARITY:
        info->orderByConsumed = descending && !is_fused;
        break;
    case COLUMN_DISTANCE:
        info->orderByConsumed = !descending && !is_fused;
        break;
    case COLUMN_RANK:
        info->orderByConsumed = !descending;
        break;
    case COLUMN_RELEVANCE:
        info->orderByConsumed = descending;
        if (descending) info->idxNum |= PLAN_BY_RELEVANCE;
        break;
    default:
        break;
    }
}

/* Of several k <= n the least counts. */
static int is_other_k(const sqlite3_index_info *info, const struct found *found, int i)
{
    const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
    int first = found->argument[ARGUMENT_K];
    return constraint->usable && constraint->iColumn == COLUMN_K && is_at_most(constraint->op) &&
           i != first && is_at_most(info->aConstraint[first].op);
}

static int use_conditions(const struct semantic_table *table, sqlite3_index_info *info,
                          const struct found *found, int *n_arguments)
{
    sqlite3_str *list = sqlite3_str_new(table->store.db);
    for (int i = 0; i < info->nConstraint; i++) {
        if (!is_condition(table, info, i) && !is_other_k(info, found, i)) continue;
        append_condition(info, i, list);
        info->aConstraintUsage[i].argvIndex = ++*n_arguments;
    }
    int rc = sqlite3_str_errcode(list);
    info->idxStr = sqlite3_str_finish(list);
    info->needToFreeIdxStr = 1;
    return rc;
}

static int plan_search(const struct semantic_table *table, sqlite3_index_info *info,
                       struct found *found, int *n_arguments)
{
    use(info, found, ARGUMENT_QUERY, PLAN_QUERY, n_arguments);
    use(info, found, ARGUMENT_K, PLAN_K, n_arguments);
    if (info->colUsed & ((sqlite3_uint64)1 << COLUMN_RELEVANCE)) info->idxNum |= PLAN_RELEVANCE;
    /* k says how many are wanted. And where SQLite filters, rows beyond the hint may be wanted: of
     * codes and partitions, and where words count, these could be better ones. */
    int by_relevance = (info->idxNum & PLAN_RELEVANCE) != 0;
    int depends = store_is_partitioned(&table->store) || table->store.tokenizer != NULL;
    if (info->idxNum & PLAN_K || (depends && found->others && !by_relevance))
        found->argument[ARGUMENT_LIMIT] = -1;
    if (found->argument[ARGUMENT_LIMIT] < 0) found->argument[ARGUMENT_OFFSET] = -1;
    use(info, found, ARGUMENT_LIMIT, PLAN_LIMIT, n_arguments);
    use(info, found, ARGUMENT_OFFSET, PLAN_OFFSET, n_arguments);
    use(info, found, ARGUMENT_FUSION, PLAN_FUSION, n_arguments);
    use(info, found, ARGUMENT_WEIGHT, PLAN_WEIGHT, n_arguments);
    info->estimatedCost = SEARCH_COST;
    info->estimatedRows = info->idxNum & (PLAN_K | PLAN_RELEVANCE) ? 25 : 10000;
    return use_conditions(table, info, found, n_arguments);
}

static void plan_listing(sqlite3_index_info *info, const struct found *found, int *n_arguments)
{
    int i = found->argument[ARGUMENT_ROWID];
    sqlite3_uint64 hidden = ((sqlite3_uint64)1 << COLUMN_CONTENT) - 1;
    int by_key = i >= 0 && info->aConstraint[i].iColumn != -1;
    use(info, found, ARGUMENT_ROWID, by_key ? PLAN_ROWID | PLAN_KEY : PLAN_ROWID, n_arguments);
    if ((info->colUsed & hidden) == hidden) info->idxNum |= PLAN_NAMES_ALL;
    info->estimatedCost = info->idxNum & PLAN_ROWID ? LOOKUP_COST : LISTING_COST;
    info->estimatedRows = info->idxNum & PLAN_ROWID ? 1 : 1000000;
}

static int refuse(sqlite3_vtab *base, const char *message)
{
    sqlite3_free(base->zErrMsg);
    base->zErrMsg = sqlite3_mprintf("%s: %s", ((struct semantic_table *)base)->store.name, message);
    return base->zErrMsg == NULL ? SQLITE_NOMEM : SQLITE_ERROR;
}

int semantic_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    struct semantic_table *table = (struct semantic_table *)base;
    struct found found = {0};
    int n_arguments = 0;
    struct error err;
    int rc = columns_look(table, &err);
    if (rc != 0) return rc == ERROR_NOMEM ? SQLITE_NOMEM : SQLITE_INTERRUPT;
    for (int i = 0; i < N_ARGUMENTS; i++) found.argument[i] = -1;
    for (int i = 0; i < info->nConstraint; i++) find_constraint(table, info, i, &found);
    if (found.unusable) return SQLITE_CONSTRAINT;
    int searches = found.argument[ARGUMENT_QUERY] >= 0;
    if (searches && found.k_other && found.argument[ARGUMENT_K] < 0)
        return refuse(base, "k > n, k <> n and the like say nothing of how many rows are wanted: k "
                            "= n or k <= n does");
    if (searches && found.rank_list && found.argument[ARGUMENT_K] >= 0)
        return refuse(base,
                      "rank IN (...) with a k does not say which ranks the k rows begin with: "
                      "write rank BETWEEN n AND m, or rank IN (...) without a k");
    if (searches && info->nConstraint > MAX_CONSTRAINTS)
        return refuse(base, "a search takes 32 conditions at most: rowid IN (SELECT ...) may hold "
                            "others");
    info->idxNum = 0;
    if (searches) rc = plan_search(table, info, &found, &n_arguments);
    else plan_listing(info, &found, &n_arguments);
    if (rc != SQLITE_OK) return rc;
    if (info->colUsed & ((sqlite3_uint64)1 << COLUMN_EMBEDDING)) info->idxNum |= PLAN_READS_VECTOR;
    if (info->colUsed >> COLUMN_CONTENT != 0) info->idxNum |= PLAN_READS_CONTENT;
    consume_order(table, info, searches);
    return SQLITE_OK;
}
