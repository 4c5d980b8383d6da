/*
 * table.h: one connected semantic_index, as its files share it.
 *
 *   module       create, connect, destroy       content        the texts, from the content table
 *   config       the options                    embedder       the index's models
 *   columns      the columns that it shows      retrieve       from queries to ranked rows
 *   content_schema  what the schema says of the content: columns, the key
 *   content_keys    keys that are no integers, while the content is read
 *   plan         xBestIndex                     request        the arguments of a search
 *   filter       conditions on the content      known          what was found of them
 *   cursor       xFilter ... xColumn            sync           bringing the index in step
 *   update       xUpdate, transactions          sync_function  semantic_sync
 *   pending      rows that wait                 estimate       semantic_estimate
 *   flush        writing them                   search_each    semantic_search_each
 *   upkeep       triggers on the content        recall         semantic_recall
 *   upkeep_shape what they depend on            fit            the model fitted on the content
 *   command      'sync', 'rebuild', ...         failures_function  semantic_failures
 *   registry     the tables connected now       status         semantic_status
 *   progress     what syncs are doing           pending_function  semantic_pending
 *   embedded     rows embedded elsewhere        semantic       what is registered
 *   likeness     the model of an old index      wording        when words are written
 *   fusion       the score of words and vectors  sides         the rows of both
 *   comparison   what a sync has to do           agreement     that it is nothing
 *   map          semantic_map                   progress_function  semantic_progress
 *   query        a text or vector of a search   retrieval      one that goes on
 *   candidates   the rows of vectors            sense          whether a text says anything
 *
 * The shadow tables are store/'s.
 */
#ifndef SEMANTIC_TABLE_H
#define SEMANTIC_TABLE_H

#include "semantic/config.h"
#include "sqlite/connection.h"
#include "store/store.h"

/* Columns of the virtual table. The hidden ones come first: sqlite3_index_info.colUsed has one bit
 * for all columns from 63 on. The column with the table's own name takes MATCH and commands. */
enum semantic_column_number {
    COLUMN_QUERY,
    COLUMN_K,
    COLUMN_SIMILARITY,
    COLUMN_DISTANCE,
    COLUMN_RELEVANCE,
    COLUMN_RANK,
    COLUMN_EMBEDDING,
    COLUMN_TABLE,
    COLUMN_CONTENT /* the first content column; behind the last: enum semantic_words_column */
};

/* A row written in this transaction. CHANGED: the content was; what that comes to is read when the
 * rows are written. CHANGING: the content is about to change, see pending.h. */
enum pending_kind {
    PENDING_TEXT,
    PENDING_VECTOR,
    PENDING_BLANK, /* without content: a text with nothing to embed, which is kept */
    PENDING_DELETE,
    PENDING_CHANGED,
    PENDING_CHANGING
};

struct pending_row {
    enum pending_kind kind;
    int64_t id;
    size_t before; /* the row before it in its bucket, from 1 on; 0: none */
    int is_new;    /* what was of that id before is gone, as after a DELETE */
    uint64_t hash;
    char *text; /* owned; PENDING_TEXT: what to embed; without content also of the others, or NULL;
                   of a row that changed, what a flush has read */
    size_t text_size;
    char *refused; /* owned; of PENDING_TEXT, why that text cannot be embedded; NULL: not known to
                      be so. Without a text it was not even one */
    int by_server; /* of refused: a server said so */
    float *vector; /* owned; [dimensions]; NULL until embedded */
    size_t dimensions;
    int64_t fit; /* the fit that made the vector of a text, or refused it */
    /* What became of the row's words when it was noted: nothing, they went, or those of the text
     * with the hash `worded` were written, if they were not there. */
    enum { WORDS_STAY, WORDS_NONE, WORDS_WRITTEN } words;
    uint64_t worded;
};

/* Where the buffer stood when a savepoint began. */
struct pending_mark {
    size_t n_rows, n_flushed;
};

/* One for all connections of one index that live in a transaction: a change of the schema makes
 * SQLite connect the table anew, and the old one stays until the transaction ends. */
struct semantic_pending {
    int references;
    struct pending_row *rows; /* [n_rows]; the first n_flushed of them are in the shadow tables */
    size_t n_rows, n_flushed, capacity; /* a power of two */
    size_t *buckets; /* [capacity] the last row of the ids that share it, from 1 on; 0: none */
    size_t n_bytes;  /* texts and vectors of the rows not flushed */
    struct pending_mark *marks;
    size_t n_marks, marks_capacity;
    int knows_last; /* no row in the shadow tables has an id beyond last_id */
    int64_t last_id;
    int content_told;         /* the command 'content' was given: see follow_content() */
    int looked_for_words;     /* in this transaction, see wording_begin() */
    int explicit_transaction; /* the rows were written between BEGIN and COMMIT */
    struct store_write write; /* of the shadow tables */
};

/* What the last comparison of index and content found when there was nothing to do, see
 * agreement.h. */
struct agreement {
    enum { AGREEMENT_NONE, AGREEMENT_AT_COMMIT, AGREEMENT_KNOWN } state;
    uint32_t version;            /* of the file, then */
    int64_t n_total, n_readable; /* content rows that have a text; that can be read */
    int64_t n_unusable;          /* that have no usable key */
    size_t n_failures;           /* that failed and are not tried */
    size_t n_wordless;           /* that are as they were, but for words that were put off */
};

/* So many conditions are known at a time, see known.h. */
#define KNOWN_CONDITIONS 8

struct known;
struct semantic_registry;
struct semantic_sync;

struct semantic_table {
    sqlite3_vtab base; /* first: SQLite's view of us */
    struct semantic_registry *registry;
    struct connection *connection;
    struct semantic_table *next, **previous; /* in the registry */
    struct store store; /* the shadow tables; with the index's db, schema and name */
    struct semantic_config config;
    struct semantic_column *columns;
    size_t n_columns;
    enum semantic_words_column words_columns[N_WORDS_COLUMNS]; /* behind these */
    int n_words_columns;
    size_t key;             /* of a keyed index: the key among the columns; SIZE_MAX: none is */
    size_t rowid_column;    /* the column that is the rowid of the index; SIZE_MAX: none is */
    char *declared_content; /* where config.content is another by now: what CREATE says; owned */
    char *reranker_name;    /* as stored; owned */
    int innocuous;          /* as SQLite was told, see embedder.h */
    struct error broken;    /* set when X_config cannot be read: every use but DROP reports it */
    struct model *fitted;   /* the model of X_model with id fitted_id; NULL: not loaded */
    int64_t fitted_id;
    uint64_t likeness; /* of the model that likeness_check found to be the index's; 0: none yet */
    sqlite3_stmt *content_text;   /* see content_text(); NULL: not prepared */
    sqlite3_stmt *content_by_key; /* see content_find(); the same */
    sqlite3_stmt *content_row;    /* see content_row_open(); the same, or a cursor has it */
    int64_t content_row_schema;   /* the schema_version that it is of */
    sqlite3_stmt *schema_number;  /* see columns_look(); the same */
    int64_t schema_version;       /* when the content's columns were last looked at */
    int is_looking;               /* they are being looked at */
    int is_outdated;              /* they are no longer what SQLite was told */
    int reading_content;          /* a statement on the content is being stepped */
    struct agreement agreement;
    struct {
        int is_looked_at, is_of_file;
        uint32_t version;
    } source;                              /* of the content, see agreement_is_of_file() */
    struct known *known[KNOWN_CONDITIONS]; /* the one asked for last comes first; owned; or NULL */
    size_t n_read; /* of rankings of all rows: how many the last ones were read, about */
    struct semantic_pending *pending; /* one reference of it */
};

#endif
