/*
 * store.h: the shadow tables of a semantic_index, and nothing of what they mean.
 *
 * All SQL on them is in this room (statements.h names the tables), but for what reads them beside
 * the content, or as it: semantic/content.c and semantic/filter.c. What the words and numbers in
 * them are for is told by those who ask. An index named X has (all are ours alone; read as hostile
 * input):
 *
 *   CREATE TABLE X_config(key TEXT PRIMARY KEY, value) WITHOUT ROWID
 *       'format' (below), 'metric', 'quantize', 'dimensions' (0: none yet),
 *       'generation' (a number, another after each write of rows; where rows wait that of the last
 *       write that did more than let some wait, see X_waiting),
 *       'partitions' (the generation that last changed X_partitions; 0: there are none),
 *       'model', 'identity' (provider:model that it stands for), 'reranker',
 *       'fingerprint' (of what made the vectors; 0: its name says all; none or NULL: not known),
 *       'created' (a number, another for each index of the file; 0 or none: not known),
 *       'fit' (id of the fitted model; 0: none), 'fitted_on' (how many rows; 0 or none: not known),
 *       'failures' (1: there is X_failures), 'keyed' (1: there is X_keys),
 *       'columns' (JSON [[name, affinity], ...] of the content, for when it is gone),
 *       'content' (the name that the content has by now; none: the one of CREATE),
 *       'content_rowid' (the key's column, where CREATE does not name it and it is no rowid),
 *       'storage' (enum index_vectors; none: what the format says),
 *       'waiting' (a BLOB, little-endian: int64 slots, those of X_waiting that had rows at that
 *       generation, 1 << slot - 1 added up; int64 ids[32], whose vector a slot may have, waiting
 *       or not. None: there are no slots. Before format 5: int64 id, int64 partition or block of
 *       the rows that wait, see waiting.h),
 *       'lexical' (the tokenizer of X_fts; none: the index has no words),
 *       'history' (of one that has: generations, see history.h; none or another value: not known),
 *       'lacks_words' (1: it was to have some, but was made where there is no FTS5)
 *   CREATE TABLE X_rows(id INTEGER PRIMARY KEY, hash INT NOT NULL, own INT NOT NULL,
 *                       block INT NOT NULL)
 *       hash: XXH64 of the row's text; own: 1 if the user gave the vector; block: that of its
 *       vector, or code; where codes move the partition that it was put in (before format 4 the
 *       block), see codes.h; else, while the row waits, 0.
 *       A row whose text is empty is not here: there is nothing to embed
 *   CREATE TABLE X_blocks(block INTEGER PRIMARY KEY, partition INT NOT NULL, n INT NOT NULL,
 *                         room INT NOT NULL, version INT NOT NULL, UNIQUE(partition, room, block))
 *       n rows are in the block and room more have place; version: the generation that wrote it
 *   CREATE TABLE X_data(block INTEGER PRIMARY KEY, bytes BLOB NOT NULL)
 *       see index/block.h
 *   CREATE TABLE X_vectors(id INTEGER PRIMARY KEY, vector BLOB NOT NULL)
 *       with quantize: vectors as they are stored (index/block.h) of some rows from that id on, see
 *       runs.h (before format 4 of that row alone)
 *   CREATE TABLE X_waiting(slot INTEGER PRIMARY KEY, head BLOB NOT NULL, vector BLOB NOT NULL)
 *       slots 1 to 32, made when the index has grown large: rows that are in no block yet, see
 *       waiting.h. head, little-endian:
 *           int64    base, generation, id, partition
 *       vector as it is stored (index/block.h); both zero where nothing is. Slots behind those that
 *       X_config speaks of have rows, too, from the next on, as long as base is its 'generation';
 *       the index's generation is that of the last of them. An index of a version that had no such
 *       table gets it with its slots
 *   CREATE TABLE X_partitions(partition INTEGER PRIMARY KEY, centroid BLOB NOT NULL)
 *       with partitions or quantize: float32[dimensions] in code space
 *   CREATE TABLE X_text(id INTEGER PRIMARY KEY, text TEXT)
 *       without a content table; a row that has a vector and no text need not be here (before
 *       format 5 it was, NULL)
 *   CREATE TABLE X_model(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)
 *       the fitted model, cut in pieces
 *   CREATE TABLE X_failures(id INTEGER PRIMARY KEY, hash INT NOT NULL, attempts INT NOT NULL,
 *                           at INT NOT NULL, message TEXT NOT NULL)
 *       rows whose text no vector can be made of, which are not in X_rows: its hash, how often it
 *       was tried, when last (seconds since 1970) and why it cannot be. An index of a version that
 *       had no such table gets it with its first such row
 *   CREATE TABLE X_keys(id INTEGER PRIMARY KEY, key NOT NULL UNIQUE)
 *       of an index that is keyed: the content's key of each row, see keys.h
 *   CREATE VIRTUAL TABLE X_fts USING fts5(text, content='', tokenize=...)
 *   CREATE TABLE X_docs(doc INTEGER PRIMARY KEY, id INT UNIQUE)
 *   CREATE TABLE X_wordless(id INTEGER PRIMARY KEY)
 *       of an index that has words: which documents have which, of which rows they are, and rows
 *       that are to get theirs, see words.h
 *
 * Formats:
 *   1   a row for each vector, X_vectors(id, hash, own, vector), and for its code, X_codes(id,
 *       code); no blocks, no partitions
 *   2   this one, without words, its vectors float32[dimensions]
 *   3   the same with rows that wait, with words, or its vectors compact (vector/compact.h: storage
 *       = 'int8') or halves (vector/half.h: 'float16')
 *   4   the same, but that with codes X_rows says a partition and X_vectors has runs
 *   5   the same, but that rows wait in X_waiting, runs have the ids of all their rows, and X_text
 *       lacks texts that are NULL. An index of an earlier one gets this number by its first write
 *       of rows, which puts those that wait into blocks; nothing else is changed
 * Development had words in format 2, and in 3 no 'storage': such an index opens.
 * An index of another format is refused: it is made again from its content.
 *
 * Numbers that tell things apart are hashes (XXH64) of what they stand for, and never 0: 'created'
 * of name and options, hashed again while another index of the schema has it; 'generation' of that,
 * the one before, and all that the write was told to do; 'fit' of the one before and the model's
 * bytes. An index that is made again after DROP has its number, and then those of the same writes:
 * what is kept in memory by them is the same, too. So the same
 * statements give the same bytes in every table, by any number of threads, on any processor; and
 * two writes have the same number only if they are the same write of the same rows, as after a
 * ROLLBACK. Files made before have random numbers, and go on from those.
 *
 * A place of a block that no row has is zero: nothing stays of what was deleted or moved.
 *
 * What is scanned lies in blocks: SQLite reads a blob of 256 KiB for a quarter of what 170 rows of
 * 1.5 KB cost. What is fetched row by row, the vectors behind codes, lies in runs of a few rows: a
 * blob's end can only be reached through all of its pages. The list of blocks is a table of its
 * own, so that a reader learns in one short scan what changed.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/span.h"
#include "index/snapshot.h"
#include "sqlite/connection.h"
#include "sqlite/statement.h"

#define STORE_FORMAT 5
#define STORE_FORMAT_PLAIN 2 /* of version 0.1.0: vectors float32, no words */

#define STORE_MOST_WAITING 32

/* A row that waits, see waiting.h: the partition that it is to be in (0 in an index without), and
 * its slot; 0: by an earlier format. And what a slot says of it. */
struct store_waiting {
    int64_t id, partition, slot;
};
struct store_slot_head {
    int64_t base, generation, id, partition;
};

/* What X_config says of the slots. */
struct store_slots {
    int64_t waiting;                 /* bits */
    int64_t ids[STORE_MOST_WAITING]; /* of slot i + 1; 0 where there is none, or may be */
};
#define STORE_NO_BLOCK 0 /* where it lies, by X_rows */

/* What X_config and X_waiting say now. Read anew for each search and each write: another connection
 * may have changed it. */
struct store_state {
    int64_t format;       /* see above */
    size_t dimensions;    /* 0: no vector yet */
    int64_t fit;          /* 0: the model has not been fitted */
    int64_t generation;   /* of all rows; 0: none was written */
    int64_t base;         /* that of X_config */
    int64_t partitions;   /* of the partitions; 0: there are none */
    int64_t created;      /* see struct store */
    int keeps_failures;   /* there is X_failures */
    int lacks_failures;   /* none is in it: set by who has asked */
    char model[256];      /* the full name of the model that made the vectors */
    char identity[300];   /* the "provider:model" that it stood for; "": not known */
    uint64_t fingerprint; /* what that was made of; 0: its name says all */
    int has_fingerprint;  /* it is known */
    int has_slots;        /* rows may wait; those that do, by slot: */
    size_t n_waiting;
    struct store_waiting waiting[STORE_MOST_WAITING];
    struct store_slots slots; /* those that X_config says wait; ids as they are */
    int has_other_ids;        /* than X_config says */
    uint64_t left;            /* slots whose rows this write has removed, as bits */
    int has_list;             /* X_config has the list of an earlier format, perhaps with rows, */
    int64_t listed_for;       /* without codes behind those of this block */
    enum {
        STORE_IS_READ,  /* the generation is no write's; or that of one: */
        STORE_OPEN,     /* nowhere yet */
        STORE_IN_SLOTS, /* there alone, which is enough */
        STORE_TO_NOTE   /* X_config is to have it */
    } note;
};

/* What CREATE VIRTUAL TABLE says of how rows are kept. */
struct store_options {
    enum index_metric metric;
    enum index_quantize quantize;
    size_t partitions; /* 0: a search looks at all rows; STORE_AUTO */
    int keeps_texts;   /* there is no content table: texts are here */
    enum index_vectors vectors;
};

#define STORE_AUTO SIZE_MAX
#define STORE_NO_INDEX (-1)

/* How far the writes of a transaction are, see write.h. One for all struct store of an index that
 * live in it. */
struct store_write {
    enum { STORE_IDLE, STORE_WRITING, STORE_TORN } step;
    size_t n_savepoints; /* open now */
    size_t begun_at;     /* of them, those that were there when the last write began */
    int has_words;       /* FTS5 may have words of this transaction in its memory alone */
};

/* Questions with one number as the answer, their parameters in brackets; 0 where there is none. */
enum store_question {
    STORE_N_ROWS,
    STORE_ROW_FROM, /* (id): the lowest id of a row from that on */
    STORE_LAST_ROW, /* the highest */
    STORE_ANY_OWN,  /* 1: there is a row whose vector the user gave */
    STORE_LAST_ID,  /* (most): the largest in use up to that; where texts are kept, as the next */
    STORE_HAS_ID,   /* (id): 1 */
    STORE_N_BLOCKS,
    STORE_LAST_BLOCK,
    STORE_BLOCK_WITH_ROOM,     /* (partition, after): one after that number, with the most room */
    STORE_LAST_CAPACITY,       /* (partition): of its last block that is full */
    STORE_N_ROWS_OF_PARTITION, /* (partition, after): in blocks after that number */
    STORE_N_PARTITIONS,
    STORE_N_FAILURES,  /* where there is X_failures, as the next: see failures.h */
    STORE_ANY_FAILURE, /* 1: there is one */
    /* Bytes of contents: SQLite adds some percent (heads of pages and rows, the rest of a page),
     * which only the table dbstat would tell, and it reads every page. */
    STORE_VECTOR_BYTES, /* of X_vectors, where there is one */
    STORE_DATA_BYTES,
    STORE_TEXT_BYTES, /* where texts are kept */
    STORE_MODEL_BYTES,
    STORE_FITTED_ON,
    STORE_WORD_BYTES, /* where there is X_fts, as the next: see words.h */
    STORE_N_DEAD,
    STORE_ANY_EXCEPTION, /* 1: X_docs has a row */
    STORE_LAST_DOCUMENT, /* the highest */
    STORE_N_WORDLESS,
    STORE_IS_WORDLESS,   /* (id): 1 */
    STORE_WORDS_VERSION, /* of FTS5's own tables */
    STORE_GENERATION,
    STORE_DIMENSIONS, /* as X_config has them */
    STORE_NEXT_RUN, /* (id): the id of the run after it; where there is none, the largest number */
    STORE_PAGE_SIZE,
    STORE_N_PLACED, /* rows that are in blocks */
    STORE_N_QUESTIONS
};

/* Queries: the columns of their rows, ascending by those in brackets. */
enum store_query {
    STORE_CONFIG,            /* value of key ?1 */
    STORE_IDS,               /* [id] */
    STORE_ROWS,              /* [id], hash, own */
    STORE_ROWS_AND_WORDS,    /* [id], hash, own, 1 if it is in X_wordless */
    STORE_WORDLESS,          /* [id] */
    STORE_MODEL_IDS,         /* [id] of rows whose vector a model made */
    STORE_TEXT_IDS,          /* [id] of all rows, where texts are kept */
    STORE_TEXTS,             /* [id], text of the same */
    STORE_TEXT,              /* id, text of id ?1 */
    STORE_DOCUMENT,          /* id, text, text of id ?1 */
    STORE_VECTORS,           /* [id], vector: runs, see runs.h */
    STORE_BLOCKS,            /* block, partition, n, room, version [block] */
    STORE_BLOCK_NUMBERS,     /* block */
    STORE_BLOCKS_UNTIL,      /* [block], up to ?1 */
    STORE_DATA,              /* bytes, version of block ?1 */
    STORE_CENTROIDS,         /* [partition], centroid */
    STORE_LOST_DATA,         /* block, of bytes that belong to none */
    STORE_ROWS_WITHOUT_TEXT, /* id of those whose vector a model made */
    STORE_FAILURES,          /* [id], hash, message, attempts, at */
    STORE_LOST_FAILURES      /* id, of failures that are none */
};

#define STORE_N_KEPT 78
#define STORE_N_KEPT_KEYS 5

struct store {
    struct connection *connection; /* borrowed, for its settings */
    const struct cancel *cancel;   /* the connection's */
    sqlite3 *db;
    char *schema, *name; /* of the index; owned */
    struct store_options options;
    int keeps_keys;  /* keys of the content are no rowids: they are here, beside the ids */
    char *tokenizer; /* of X_fts; NULL: the index has no words; owned */
    int lacks_words; /* it was to have some */
    int reads_words; /* FTS5 may be reading, see words_rest() */
    int64_t created; /* which of the indexes that had this name; 0: not known; STORE_NO_INDEX */
    struct store_write *write; /* borrowed */
    /* Prepared statements, those of keys.c behind those of statements.c; NULL: not yet. */
    sqlite3_stmt *kept[STORE_N_KEPT + STORE_N_KEPT_KEYS];
    struct store_slots_read {     /* what was read of slots last: */
        int64_t base, generation; /* those of that state */
        size_t n;
        struct store_waiting rows[STORE_MOST_WAITING];
    } slots_read;
    struct index_cache *cache;           /* shared with other connections; NULL: not open yet */
    struct index_partitions *partitions; /* as last read or written; a reference; may be NULL */
    struct words_lengths *lengths;       /* owned, as the next; NULL: none yet */
    struct words_memory *words_memory;
};

/* The shadow tables of that index; the options come later. deinit also after a failure. */
int store_init(struct store *store, struct connection *connection, const char *schema,
               const char *name, struct store_write *write, struct error *err);
void store_deinit(struct store *store);

/* Whether X_vectors is there: blocks hold codes. */
int store_keeps_vectors(const struct store *store);

/* Whether an index of these options may be of that format; new ones are of STORE_FORMAT. */
int store_takes_format(const struct store *store, int64_t format);

/* Whether rows lie in partitions: those that a search may leave out, those that make bits precise,
 * or the only one of int8, whose centre they are counted from. */
int store_is_partitioned(const struct store *store);

/* Threads that a computation may use; bytes that the indexes of the process may hold. */
size_t store_threads(const struct store *store);
uint64_t store_memory_budget(const struct store *store);

/* Ends the kept statements, until they are needed again. */
void store_finalize(struct store *store);

/* A query to be bound and stepped; the caller finalizes. */
int store_query(struct store *store, enum store_query which, sqlite3_stmt **statement,
                struct error *err);

/* The answer to a question. */
int store_ask(struct store *store, enum store_question which, int64_t first, int64_t second,
              int64_t *answer, struct error *err);

/* What a hash is as a number of X_config. */
int64_t store_number(uint64_t hash);

/* What may change under us; and its change. */
int store_read_state(struct store *store, struct store_state *state, struct error *err);
int store_set(struct store *store, const char *key, int64_t value, struct error *err);
int store_set_text(struct store *store, const char *key, const char *value, struct error *err);
/* A text of X_config, the caller's to free; NULL: there is none. */
int store_get_text(struct store *store, const char *key, char **value, struct error *err);

/* *there: X_config is there, with that state, and of this index: after a rollback it may be gone,
 * or another's. */
int store_is_there(struct store *store, struct store_state *state, int *there, struct error *err);

/* ERROR_CORRUPT: what is wrong with X_config. */
int store_corrupt_config(const struct store *store, const char *what, struct error *err);

/* What X_rows says of a row. */
struct store_row {
    uint64_t hash;
    int own; /* the vector is the user's */
    int64_t block;
};
int store_get_row(struct store *store, int64_t id, struct store_row *row, int *found,
                  struct error *err);

/* Whether the index has the row: where texts are kept, also without a vector. */
int store_has_row(struct store *store, int64_t id, int *found, struct error *err);

/* What X_blocks says of a block: as it stands there, not checked. */
struct store_block {
    int64_t number, partition, n, room, version;
};
int store_block_is_possible(const struct store_block *block); /* by its sizes */
struct store_block store_block_of(sqlite3_stmt *row);         /* as STORE_BLOCKS has it */
int store_get_block(struct store *store, int64_t number, struct store_block *block, int *found,
                    struct error *err);

/* The bytes of a block, as column 0 of *data, which the caller resets; NULL: there are none. */
int store_get_data(struct store *store, int64_t number, sqlite3_stmt **data, struct error *err);

/* The fitted model: its bytes, appended. */
int store_read_model(struct store *store, struct buffer *bytes, struct error *err);

/* ---- all that follows is part of a write (write.h) ------------------------------------------- */

/* What is to become of a row. */
enum store_change_kind {
    STORE_PUT,
    STORE_DELETE,
    STORE_FORGET, /* deleted, but for its text */
    STORE_REFUSE  /* has no vector any more, as none can be made of its text */
};
struct store_change {
    enum store_change_kind kind;
    int64_t id;
    /* of STORE_PUT and STORE_REFUSE; borrowed */
    uint64_t hash;
    const char *text; /* where texts are kept; NULL: none */
    size_t text_size;
    /* of STORE_PUT */
    int own;             /* the vector is the user's */
    const float *vector; /* [dimensions] */
    size_t dimensions;
    /* of STORE_REFUSE: for X_failures, and then a text that is NULL leaves what X_text has; NULL:
     * there is nothing to embed, which is no failure */
    const char *why;
};

/* Writes or replaces a row that lies in that block (or partition): X_rows, and its text, where it
 * is kept and is one; deletes one; tells X_rows where one lies now. */
int store_put(struct store *store, const struct store_change *change, int64_t block,
              struct error *err);
int store_delete(struct store *store, const struct store_change *change, struct error *err);
int store_move_row(struct store *store, int64_t id, int64_t block, struct error *err);

/* Writes what X_blocks says of a block, `is_new` or there already; the bytes of a new one; deletes
 * one. */
int store_put_block(struct store *store, const struct store_block *block, int is_new,
                    struct error *err);
int store_put_data(struct store *store, int64_t number, const void *bytes, size_t size,
                   struct error *err);
int store_delete_block(struct store *store, int64_t number, struct error *err);

/* Opens the bytes of a block that is there, to read and write some of them: *blob is NULL, or open
 * on another. Closing gives rc, or what went wrong. */
int store_open_data(struct store *store, int64_t number, sqlite3_blob **blob, struct error *err);
int store_close_data(struct store *store, sqlite3_blob *blob, int rc, struct error *err);

/* Writes or replaces the centroid [dimensions] of a partition; deletes all: there are none then. */
int store_put_centroid(struct store *store, int64_t partition, const float *centroid,
                       size_t dimensions, struct error *err);
int store_delete_partitions(struct store *store, struct store_state *state, struct error *err);

/* Writes into X_config the generation, and which rows wait, where it says something else. */
int store_note(struct store *store, struct store_state *state, struct error *err);

/* Deletes the slots for rows that wait, with what is in them. */
int store_delete_slots(struct store *store, struct store_state *state, struct error *err);

/* Deletes all blocks; those up to a number; and bytes that belong to none. */
int store_delete_blocks(struct store *store, struct error *err);
int store_delete_blocks_until(struct store *store, int64_t last, struct error *err);
int store_delete_lost_data(struct store *store, struct error *err);

/* Empties all tables of rows, but keeps the texts. */
int store_delete_all(struct store *store, struct store_state *state, struct error *err);

/* Replaces the fitted model; nothing: there is none. */
int store_write_model(struct store *store, struct span bytes, struct error *err);

#endif
