#include "semantic/plan.h"

#include "semantic/columns.h"

/*
 *  plan       arguments                       estimated cost   rows
 *  search     query [k] [similarity] [limit [offset]] [rowids...]   10 000   25, or many
 *  search per row of an outer table that gives the rowid    1e12   1
 *  lookup     rowid, or the key of a keyed index             5   1
 *  listing    -                                      1 000 000   1 000 000
 *
 * The equality on rowid is never an argument of a search: in a join on rowid it would make the
 * answer depend on which table SQLite reads first. It only makes that plan so costly that the
 * search comes first. Filters on joined tables therefore apply after the k; rowid IN (...) and
 * similarity >= x, which belong to this table alone, apply before. A query or a k that cannot be
 * had in a plan rules the plan out.
 *
 * The key of a keyed index counts as its rowid, compared byte for byte.
 */

/* Lists beyond these are left to SQLite, which looks at them after the k. */
#define MAX_LISTS 8

enum {
    ARGUMENT_QUERY,
    ARGUMENT_K,
    ARGUMENT_SIMILARITY,
    ARGUMENT_LIMIT,
    ARGUMENT_OFFSET,
    ARGUMENT_ROWID,
    ARGUMENT_ROWIDS, /* the first list; others follow */
    N_ARGUMENTS = ARGUMENT_ROWIDS + MAX_LISTS
};

/* Constraint numbers, -1 where there is none. */
struct found {
    int argument[N_ARGUMENTS];
    int above;          /* the similarity is > and not >= */
    int rowid_equality; /* some rowid = x is there */
    int others;         /* SQLite looks at some constraint itself */
    int unusable;       /* a query or k is asked for but not to be had in this plan */
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

static void find_constraint(const struct semantic_table *table, sqlite3_index_info *info, int i,
                            struct found *found)
{
    const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
    int op = constraint->op, column = constraint->iColumn;
    int which = -1;
    if (is_query(constraint)) which = ARGUMENT_QUERY;
    if (op == SQLITE_INDEX_CONSTRAINT_EQ && column == COLUMN_K) which = ARGUMENT_K;
    if (which >= 0 && !constraint->usable) found->unusable = 1;
    if (!constraint->usable) return;
    if (op == SQLITE_INDEX_CONSTRAINT_LIMIT) which = ARGUMENT_LIMIT;
    if (op == SQLITE_INDEX_CONSTRAINT_OFFSET) which = ARGUMENT_OFFSET;
    if (column == COLUMN_SIMILARITY &&
        (op == SQLITE_INDEX_CONSTRAINT_GE || op == SQLITE_INDEX_CONSTRAINT_GT))
        which = ARGUMENT_SIMILARITY;
    if (op == SQLITE_INDEX_CONSTRAINT_EQ && is_rowid(table, info, i))
        which = sqlite3_vtab_in(info, i, -1) ? ARGUMENT_ROWIDS : ARGUMENT_ROWID;
    if (which == ARGUMENT_ROWID) found->rowid_equality = 1;
    while (which >= ARGUMENT_ROWIDS && which + 1 < N_ARGUMENTS && found->argument[which] >= 0)
        which++;
    if (which < 0 || which == ARGUMENT_ROWID || found->argument[which] >= 0) found->others = 1;
    if (which < 0 || found->argument[which] >= 0) return;
    found->argument[which] = i;
    if (which == ARGUMENT_SIMILARITY) found->above = op == SQLITE_INDEX_CONSTRAINT_GT;
}

static void use(sqlite3_index_info *info, const struct found *found, int which, int flag,
                int *n_arguments)
{
    int i = found->argument[which];
    if (i < 0) return;
    info->aConstraintUsage[i].argvIndex = ++*n_arguments;
    /* SQLite cuts and skips itself: the order may be another one, rows may be left out. */
    info->aConstraintUsage[i].omit = which != ARGUMENT_LIMIT && which != ARGUMENT_OFFSET;
    if (which >= ARGUMENT_ROWIDS) {
        int list = info->idxNum >> PLAN_LISTS_SHIFT & PLAN_LISTS_MASK;
        sqlite3_vtab_in(info, i, 1);
        info->idxNum += 1 << PLAN_LISTS_SHIFT;
        if (info->aConstraint[i].iColumn != -1) info->idxNum |= 1 << (PLAN_KEY_LISTS_SHIFT + list);
    }
    info->idxNum |= flag;
}

/* The one order that the plan gives, if it is the one asked for. */
static void consume_order(sqlite3_index_info *info, int searches)
{
    if (info->nOrderBy != 1) return;
    int column = info->aOrderBy[0].iColumn, descending = info->aOrderBy[0].desc;
    if (!searches) {
        info->orderByConsumed = column == -1 && !descending;
        return;
    }
    switch (column) {
    case COLUMN_SIMILARITY:
        info->orderByConsumed = descending;
        break;
    case COLUMN_DISTANCE:
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

static void plan_search(sqlite3_index_info *info, struct found *found, int is_approximate,
                        int *n_arguments)
{
    use(info, found, ARGUMENT_QUERY, PLAN_QUERY, n_arguments);
    use(info, found, ARGUMENT_K, PLAN_K, n_arguments);
    use(info, found, ARGUMENT_SIMILARITY,
        found->above ? PLAN_SIMILARITY | PLAN_SIMILARITY_ABOVE : PLAN_SIMILARITY, n_arguments);
    if (info->colUsed & ((sqlite3_uint64)1 << COLUMN_RELEVANCE)) info->idxNum |= PLAN_RELEVANCE;
    /* k, or the candidates of the reranker, say how many are wanted. And where SQLite filters, rows
     * beyond the hint may be wanted: of codes and partitions these could be better ones. */
    if (info->idxNum & (PLAN_K | PLAN_RELEVANCE) || (is_approximate && found->others))
        found->argument[ARGUMENT_LIMIT] = -1;
    if (found->argument[ARGUMENT_LIMIT] < 0) found->argument[ARGUMENT_OFFSET] = -1;
    use(info, found, ARGUMENT_LIMIT, PLAN_LIMIT, n_arguments);
    use(info, found, ARGUMENT_OFFSET, PLAN_OFFSET, n_arguments);
    for (int list = ARGUMENT_ROWIDS; list < N_ARGUMENTS; list++)
        use(info, found, list, PLAN_ROWIDS, n_arguments);
    int bounded = (info->idxNum & (PLAN_K | PLAN_RELEVANCE)) != 0;
    info->estimatedCost = found->rowid_equality ? 1e12 : 10000;
    info->estimatedRows = found->rowid_equality ? 1 : bounded ? 25 : 10000;
}

static void plan_listing(sqlite3_index_info *info, const struct found *found, int *n_arguments)
{
    int i = found->argument[ARGUMENT_ROWID];
    int by_key = i >= 0 && info->aConstraint[i].iColumn != -1;
    use(info, found, ARGUMENT_ROWID, by_key ? PLAN_ROWID | PLAN_KEY : PLAN_ROWID, n_arguments);
    info->estimatedCost = info->idxNum & PLAN_ROWID ? 5 : 1e6;
    info->estimatedRows = info->idxNum & PLAN_ROWID ? 1 : 1000000;
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
    /* In a listing SQLite may as well take the members of IN one by one. */
    if (!searches && found.argument[ARGUMENT_ROWID] < 0)
        found.argument[ARGUMENT_ROWID] = found.argument[ARGUMENT_ROWIDS];
    info->idxNum = 0;
    if (searches) plan_search(info, &found, store_is_partitioned(&table->store), &n_arguments);
    else plan_listing(info, &found, &n_arguments);
    if (info->colUsed & ((sqlite3_uint64)1 << COLUMN_EMBEDDING)) info->idxNum |= PLAN_READS_VECTOR;
    if (info->colUsed >> COLUMN_CONTENT != 0) info->idxNum |= PLAN_READS_CONTENT;
    consume_order(info, searches);
    return SQLITE_OK;
}
