#include "store/words_pages.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "sqlite/page_numbers.h"
#include "store/statements.h"
#include "store/words.h"

/* Rows of X_fts_data: the statistics, the list of segments, and pages by segment and number. */
#define STATISTICS 1
#define STRUCTURE 10
#define PAGE_BITS 37
#define MOST_PAGES ((int64_t)1 << 31)
#define MOST_SEGMENTS 2000

/* Of X_fts_config. */
#define VERSION 4

/* The first byte of a term of the index of whole tokens. */
#define WHOLE '0'

/* The list of segments begins with a number that is none of its content. */
#define COOKIE_BYTES 4

/* A page begins with where its first document is, where a term has gone on, and where the list of
 * its terms begins. */
#define HEAD_BYTES 4

#define PAGES_PER_POLL 64

/* ---- what there is --------------------------------------------------------------------------- */

/* What SQLite cannot read is FTS5's to tell. */
static int forgive(struct words_pages *pages, int rc, const struct error *problem,
                   struct error *err)
{
    if (rc == ERROR_STORAGE || rc == ERROR_CORRUPT) {
        pages->is_known = 0;
        return 0;
    }
    if (rc != 0 && err != NULL) *err = *problem;
    return rc;
}

/* Of a list of numbers. */
static int read_segment(const unsigned char **at, const unsigned char *end,
                        struct words_segment *segment)
{
    uint64_t id, first, last;
    if (!page_read_varint(at, end, &id) || !page_read_varint(at, end, &first) ||
        !page_read_varint(at, end, &last))
        return 0;
    *segment = (struct words_segment){(int64_t)id, (int64_t)first, (int64_t)last};
    return id > 0 && id < (uint64_t)1 << 16 && first > 0 && first <= last &&
           last < (uint64_t)MOST_PAGES;
}

/* A segment that came twice would give its documents as often as a damaged list has it. */
static int are_different(const struct words_segment *segments, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (segments[i].id == segments[j].id) return 0;
    return 1;
}

/* Levels, the newest first, each with its segments, the oldest first. */
static int read_levels(struct words_pages *pages, const unsigned char *at, const unsigned char *end,
                       uint64_t n_levels, uint64_t n_segments)
{
    struct words_segment *place = pages->segments + n_segments;
    for (uint64_t i = 0; i < n_levels; i++) {
        uint64_t n_merged, n;
        if (!page_read_varint(&at, end, &n_merged) || !page_read_varint(&at, end, &n)) return 0;
        if (n > (uint64_t)(place - pages->segments)) return 0;
        place -= n;
        for (uint64_t j = 0; j < n; j++)
            if (!read_segment(&at, end, &place[j])) return 0;
    }
    pages->n_segments = (size_t)n_segments;
    return place == pages->segments && at == end && are_different(place, (size_t)n_segments);
}

static int read_structure(struct words_pages *pages, const unsigned char *at, size_t size,
                          struct error *err)
{
    const unsigned char *end = at + size;
    uint64_t n_levels, n_segments, n_written;
    pages->is_known = 0;
    if (size < COOKIE_BYTES) return 0;
    at += COOKIE_BYTES;
    if (!page_read_varint(&at, end, &n_levels) || !page_read_varint(&at, end, &n_segments) ||
        !page_read_varint(&at, end, &n_written) || n_levels > MOST_SEGMENTS ||
        n_segments > MOST_SEGMENTS)
        return 0;
    pages->segments = memory_alloc((size_t)n_segments + 1, sizeof *pages->segments);
    if (pages->segments == NULL) return error_nomem(err);
    pages->is_known = read_levels(pages, at, end, n_levels, n_segments);
    pages->n_written = n_written;
    return 0;
}

static int read_statistics(struct words_pages *pages, const unsigned char *at, size_t size,
                           struct error *err)
{
    const unsigned char *end = at + size;
    uint64_t n_documents = 0, n_tokens = 0;
    (void)err;
    pages->is_known = page_read_varint(&at, end, &n_documents) &&
                      page_read_varint(&at, end, &n_tokens) && at == end && n_documents > 0 &&
                      n_tokens > 0 && n_documents <= INT64_MAX;
    pages->n_documents = (double)n_documents;
    pages->n_tokens = (double)n_tokens;
    return 0;
}

/* Hands a row of X_fts_data to `read`. */
static int read_row(struct words_pages *pages, int64_t id,
                    int (*read)(struct words_pages *, const unsigned char *, size_t,
                                struct error *),
                    struct error *err)
{
    sqlite3_stmt *row;
    const void *bytes;
    size_t size;
    int found, rc = store_look_up(pages->store, KEPT_WORDS_ROW, id, &row, &found, err);
    if (rc == 0 && !found) pages->is_known = 0;
    if (rc != 0 || !found) return rc;
    rc = statement_column_bytes(row, 0, &bytes, &size, err);
    if (rc == 0) pages->version = hash_bytes(bytes, size, pages->version) | 1;
    if (rc == 0) rc = read(pages, bytes, size, err);
    sqlite3_reset(row);
    return rc;
}

static int look(struct words_pages *pages, struct error *err)
{
    struct store *store = pages->store;
    int64_t version, generation = 0;
    int rc = 0, state = sqlite3_txn_state(store->db, store->schema);
    /* Outside of a transaction each page could be another's. */
    pages->is_known = state == SQLITE_TXN_READ || state == SQLITE_TXN_WRITE;
    if (!pages->is_known) return 0;
    if (state == SQLITE_TXN_WRITE && store->write->has_words) rc = words_settle(store, err);
    if (rc == 0) rc = store_ask(store, STORE_WORDS_VERSION, 0, 0, &version, err);
    if (rc == 0) pages->is_known = version == VERSION;
    if (rc == 0) rc = store_ask(store, STORE_GENERATION, 0, 0, &generation, err);
    pages->version = (uint64_t)generation;
    pages->generation = generation;
    pages->is_committed = state == SQLITE_TXN_READ;
    if (rc == 0 && pages->is_known) rc = read_row(pages, STATISTICS, read_statistics, err);
    if (rc == 0 && pages->is_known) rc = read_row(pages, STRUCTURE, read_structure, err);
    return rc;
}

int words_pages_open(struct words_pages *pages, struct store *store, struct error *err)
{
    struct error problem;
    *pages = (struct words_pages){.store = store};
    int rc = look(pages, &problem);
    return forgive(pages, rc, &problem, err);
}

static void end_run(struct words_pages *pages)
{
    if (pages->run != NULL) sqlite3_reset(pages->run);
    pages->run = NULL;
}

void words_pages_close(struct words_pages *pages)
{
    end_run(pages);
    memory_free(pages->segments);
    *pages = (struct words_pages){0};
}

/* ---- a page ---------------------------------------------------------------------------------- */

/* A page while it is looked through. */
struct page {
    const unsigned char *bytes, *end; /* of what terms have */
    const unsigned char *terms, *terms_end;
    size_t place; /* of the term that was read last */
};

/* The place of the next term; 0: there is none; false: damaged. */
static int next_term(struct page *page, size_t *place)
{
    uint64_t distance;
    *place = 0;
    if (page->terms == page->terms_end) return 1;
    if (!page_read_varint(&page->terms, page->terms_end, &distance) || distance == 0 ||
        distance >= (uint64_t)(page->end - page->bytes) - page->place)
        return 0;
    *place = page->place += (size_t)distance;
    return *place >= HEAD_BYTES;
}

static int open_page(struct page *page, const unsigned char *bytes, size_t size)
{
    size_t end = size < HEAD_BYTES ? 0 : page_read_16(bytes + 2);
    if (end < HEAD_BYTES || end > size) return 0;
    *page = (struct page){bytes, bytes + end, bytes + end, bytes + size, 0};
    return 1;
}

/* From where the documents of a token begin, to the next term or the end of the page. */
static int take_up(struct words_pages *pages, struct page *page, const unsigned char *at)
{
    size_t next;
    if (!next_term(page, &next)) return 0;
    pages->at = at;
    pages->end = next == 0 ? page->end : page->bytes + next;
    pages->has_more = next == 0;
    pages->is_absolute = 1;
    return pages->at <= pages->end;
}

/* How the bytes of a term go on from where it differs from the one before: n_same of the token's
 * are passed. Less than 0: it comes before the token; 0: it is the token. */
static int compare(struct span token, const unsigned char *bytes, size_t n, size_t *n_same)
{
    size_t i = 0;
    for (; i < n && *n_same <= token.size; i++, ++*n_same) {
        unsigned char wanted =
            *n_same == 0 ? (unsigned char)WHOLE : (unsigned char)token.data[*n_same - 1];
        if (bytes[i] != wanted) return bytes[i] < wanted ? -1 : 1;
    }
    if (i < n) return 1;
    return *n_same <= token.size ? -1 : 0;
}

/* Looks for the token among the terms of a page, each of which says how much of it is as in the one
 * before; false: damaged. */
static int find_token(struct words_pages *pages, struct page *page, int *found)
{
    size_t place, n_same = 0;
    *found = 0;
    for (int is_first = 1; next_term(page, &place); is_first = 0) {
        const unsigned char *at = page->bytes + place;
        uint64_t n_shared = 0, n;
        if (place == 0) return 1;
        if ((!is_first && !page_read_varint(&at, page->end, &n_shared)) ||
            !page_read_varint(&at, page->end, &n) || n > (uint64_t)(page->end - at))
            return 0;
        if (n_shared > n_same) continue; /* as the one before, before the token */
        int order = n_shared < n_same ? 1 : compare(pages->token, at, (size_t)n, &n_same);
        *found = order == 0;
        if (*found) return take_up(pages, page, at + n);
        if (order > 0) return 1;
    }
    return 0;
}

/* ---- documents ------------------------------------------------------------------------------- */

static int begin_document(struct words_pages *pages, struct words_list *list, struct error *err)
{
    uint64_t distance, size;
    int64_t before = pages->document;
    int rc = list->n == list->capacity ? words_list_grow(list, err) : 0;
    pages->is_known = rc == 0 && page_read_varint(&pages->at, pages->end, &distance) &&
                      page_read_varint(&pages->at, pages->end, &size);
    if (!pages->is_known) return rc;
    pages->document =
        (int64_t)(pages->is_absolute ? distance : (uint64_t)pages->document + distance);
    /* The last bit: it is deleted. */
    pages->is_known = size >= 2 && size % 2 == 0 && size / 2 <= SIZE_MAX &&
                      (pages->is_absolute || pages->document > before);
    pages->is_absolute = 0;
    pages->n_left = (size_t)(size / 2);
    list->items[list->n++] = (struct words_posting){.document = pages->document};
    return 0;
}

/* What this page has of the positions of a document, each counted from the one before, and two more
 * as 0 and 1 mean something else. */
static void take_positions(struct words_pages *pages, struct words_posting *posting)
{
    const unsigned char *at = pages->at;
    size_t n = (size_t)(pages->end - at);
    uint64_t position = pages->cut, last = posting->last;
    uint32_t count = posting->count;
    if (n > pages->n_left) n = pages->n_left;
    for (size_t i = 0; i < n; i++) {
        position = position << 7 | (at[i] & 0x7F);
        if (at[i] >= 0x80) continue;
        if (position < 2) pages->is_known = 0;
        last += position - 2;
        position = 0;
        count++;
    }
    if (last > UINT32_MAX || (n == pages->n_left && position != 0)) pages->is_known = 0;
    posting->last = (uint32_t)last;
    posting->count = count;
    pages->cut = position;
    pages->n_left -= n;
    pages->at = at + n;
}

static int take_documents(struct words_pages *pages, struct words_list *list, struct error *err)
{
    int rc = 0;
    while (rc == 0 && pages->is_known && pages->at < pages->end) {
        if (pages->n_left == 0) rc = begin_document(pages, list, err);
        if (rc == 0 && pages->is_known) take_positions(pages, &list->items[list->n - 1]);
    }
    if (!pages->has_more && pages->n_left > 0) pages->is_known = 0;
    return rc;
}

/* ---- segments -------------------------------------------------------------------------------- */

static int step(struct words_pages *pages, const void **bytes, size_t *size, int *found,
                struct error *err)
{
    int rc = statement_step(pages->store->db, pages->run, found, err);
    if (rc != 0 || !*found) return rc;
    if (sqlite3_column_int64(pages->run, 0) != pages->number++) pages->is_known = 0;
    return statement_column_bytes(pages->run, 1, bytes, size, err);
}

/* The page of a segment on which the token is, if the segment has it: the last that begins with a
 * term not behind it. */
static int find_page(struct words_pages *pages, const struct words_segment *segment, int64_t *page,
                     struct error *err)
{
    sqlite3_stmt *place;
    unsigned char *term = memory_alloc(pages->token.size + 1, 1);
    int row = 0, rc = term == NULL ? error_nomem(err) : 0;
    *page = segment->first;
    if (rc == 0) rc = store_keep(pages->store, KEPT_WORDS_PLACE, &place, err);
    if (rc == 0) {
        term[0] = WHOLE;
        memcpy(term + 1, pages->token.data, pages->token.size);
        sqlite3_bind_int64(place, 1, segment->id);
        sqlite3_bind_blob64(place, 2, term, pages->token.size + 1, SQLITE_STATIC);
        rc = statement_step(pages->store->db, place, &row, err);
        /* The last bit: there is a list of where its documents are. */
        if (rc == 0 && row) *page = sqlite3_column_int64(place, 0) >> 1;
        sqlite3_reset(place);
        sqlite3_clear_bindings(place);
    }
    memory_free(term);
    /* What a merge has taken from the front of a segment is listed still. */
    if (*page < segment->first) *page = segment->first;
    if (*page > segment->last) pages->is_known = 0;
    return rc;
}

static int begin_segment(struct words_pages *pages, struct error *err)
{
    const struct words_segment *segment = &pages->segments[pages->n_begun++];
    const void *bytes;
    size_t size;
    int64_t number;
    int found = 0, rc = find_page(pages, segment, &number, err);
    if (rc != 0 || !pages->is_known) return rc;
    rc = store_keep(pages->store, KEPT_WORDS_ROWS, &pages->run, err);
    if (rc != 0) return rc;
    pages->number = (segment->id << PAGE_BITS) + number;
    sqlite3_bind_int64(pages->run, 1, pages->number);
    sqlite3_bind_int64(pages->run, 2, (segment->id << PAGE_BITS) + segment->last);
    rc = step(pages, &bytes, &size, &found, err);
    struct page page;
    if (rc != 0 || !pages->is_known) return rc;
    pages->n_left = 0;
    pages->cut = 0;
    pages->is_known = found && open_page(&page, bytes, size) && find_token(pages, &page, &found);
    if (!found) end_run(pages);
    return 0;
}

/* A page on which the documents of the token go on: first comes what is left of the positions of
 * one. */
static int continue_segment(struct words_pages *pages, struct error *err)
{
    const void *bytes;
    size_t size;
    struct page page;
    int found, rc = step(pages, &bytes, &size, &found, err);
    if (rc != 0) return rc;
    if (!found) {
        if (pages->n_left > 0) pages->is_known = 0;
        end_run(pages);
        return 0;
    }
    if (pages->is_known)
        pages->is_known =
            open_page(&page, bytes, size) && take_up(pages, &page, page.bytes + HEAD_BYTES);
    return 0;
}

void words_pages_begin(struct words_pages *pages, struct span token, size_t segment)
{
    end_run(pages);
    pages->token = token;
    pages->n_begun = segment;
    pages->is_known = 1;
}

/* A page more. */
static int read_page(struct words_pages *pages, struct words_list *list, struct error *err)
{
    int rc = 0;
    if (pages->run != NULL) rc = continue_segment(pages, err);
    else if (pages->n_begun < pages->n_segments) rc = begin_segment(pages, err);
    if (rc == 0 && pages->is_known && pages->run != NULL) rc = take_documents(pages, list, err);
    if (rc != 0 || !pages->is_known || !pages->has_more) end_run(pages);
    return rc;
}

int words_pages_next(struct words_pages *pages, struct words_list *list, int *more,
                     struct error *err)
{
    struct error problem;
    int rc = read_page(pages, list, &problem);
    *more = 0;
    rc = forgive(pages, rc, &problem, err);
    if (rc != 0 || !pages->is_known) return rc;
    *more = pages->run != NULL || pages->n_begun < pages->n_segments;
    if (!*more) pages->is_known = words_list_sort(list);
    return *more && pages->number % PAGES_PER_POLL == 0 ? cancel_check(pages->store->cancel, err)
                                                        : 0;
}
