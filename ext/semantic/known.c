#include "semantic/known.h"

#include <string.h>

#include "base/memory.h"
#include "semantic/agreement.h"

/* Of the memory budget all lists of a table take one in so many bytes, at most. */
#define BUDGET_SHARE 64

/* Rows asked about beyond so many count half: what was asked lately says more. */
#define LATELY ((size_t)4096)

/* ---- lists ----------------------------------------------------------------------------------- */

int passing_new(struct ids *ids, struct passing **passing, struct error *err)
{
    struct passing *made = memory_zalloc(1, sizeof *made);
    int rc = made == NULL ? error_nomem(err) : ids_bits_init(&made->bits, ids, err);
    *passing = NULL;
    if (rc != 0) {
        ids_deinit(ids);
        memory_free(made);
        return rc;
    }
    made->references = 1;
    made->ids = *ids;
    *passing = made;
    return 0;
}

struct passing *passing_share(struct passing *passing)
{
    passing->references++;
    return passing;
}

void passing_release(struct passing *passing)
{
    if (passing == NULL || --passing->references > 0) return;
    ids_deinit(&passing->ids);
    ids_bits_deinit(&passing->bits);
    memory_free(passing);
}

static size_t size_of(const struct passing *passing)
{
    return (passing->ids.capacity + (size_t)(passing->bits.n / 64)) * sizeof(int64_t);
}

/* ---- conditions ------------------------------------------------------------------------------ */

static void drop_list(struct known *known)
{
    passing_release(known->passing);
    known->passing = NULL;
}

static void known_free(struct known *known)
{
    if (known == NULL) return;
    sqlite3_finalize(known->group);
    drop_list(known);
    memory_free(known->conditions);
    memory_free(known);
}

static int known_new(const char *conditions, size_t size, struct known **known, struct error *err)
{
    struct known *made = memory_zalloc(1, sizeof *made);
    *known = made;
    if (made == NULL) return error_nomem(err);
    made->conditions = memory_copy(conditions, size);
    made->size = size;
    made->is_served = -1;
    if (made->conditions != NULL) return 0;
    memory_free(made);
    return error_nomem(err);
}

/* Forgets what held of the file before it was written. */
static void follow(struct semantic_table *table, struct known *known)
{
    uint32_t version = known->version;
    if (known->schema_version != table->schema_version) known->is_served = -1;
    known->schema_version = table->schema_version;
    known->is_current = agreement_is_clean(table, &version);
    if (!known->is_current || version == known->version) return;
    known->version = version;
    known->n_searches = known->spent = 0;
    drop_list(known);
}

int known_find(struct semantic_table *table, const char *conditions, size_t size,
               struct known **known, struct error *err)
{
    struct known **all = table->known, *found = NULL;
    size_t i = 0;
    int rc = 0;
    while (i < KNOWN_CONDITIONS && all[i] != NULL &&
           (all[i]->size != size || memcmp(all[i]->conditions, conditions, size) != 0))
        i++;
    if (i < KNOWN_CONDITIONS) found = all[i];
    else i--;
    if (found == NULL) rc = known_new(conditions, size, &found, err);
    if (rc != 0) return rc;
    if (found != all[i]) known_free(all[i]);
    memmove(all + 1, all, i * sizeof *all);
    all[0] = *known = found;
    follow(table, found);
    return 0;
}

sqlite3_stmt *known_take_statement(struct semantic_table *table, const struct known *known)
{
    for (size_t i = 0; i < KNOWN_CONDITIONS && table->known[i] != NULL; i++) {
        struct known *other = table->known[i];
        if (other->group == NULL || strcmp(other->conditions, known->conditions) != 0) continue;
        sqlite3_stmt *group = other->group;
        other->group = NULL;
        return group;
    }
    return NULL;
}

void known_note(struct known *known, size_t n_asked, size_t n_passed)
{
    known->spent += n_asked;
    known->n_asked += n_asked;
    known->n_passed += n_passed;
    if (known->n_asked <= LATELY) return;
    known->n_asked /= 2;
    known->n_passed /= 2;
}

int known_may_keep(struct semantic_table *table, const struct known *known, int *may,
                   struct error *err)
{
    *may = 0;
    return known->is_current && known->n_searches > 1
               ? agreement_is_of_file(table, known->version, may, err)
               : 0;
}

void known_keep(struct semantic_table *table, struct known *known, struct passing *passing)
{
    size_t left = (size_t)(store_memory_budget(&table->store) / BUDGET_SHARE);
    drop_list(known);
    if (size_of(passing) > left) return;
    left -= size_of(passing);
    known->passing = passing_share(passing);
    /* Those asked for last stay. */
    for (size_t i = 0; i < KNOWN_CONDITIONS && table->known[i] != NULL; i++) {
        struct known *other = table->known[i];
        if (other == known || other->passing == NULL) continue;
        if (size_of(other->passing) > left) drop_list(other);
        else left -= size_of(other->passing);
    }
}

void known_forget(struct semantic_table *table)
{
    for (size_t i = 0; i < KNOWN_CONDITIONS; i++) {
        known_free(table->known[i]);
        table->known[i] = NULL;
    }
}
