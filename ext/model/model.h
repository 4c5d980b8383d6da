/*
 * model.h: what an embedder and a reranker are.
 *
 * One interface for every kind of model: a table inside the library (embedded/), computed from the
 * words alone (lexical/), run inside the process (local/) or behind an API (api/). A model does one
 * task or both. Callers see texts and numbers; how a model gets from one to the other is its own
 * affair, and so are its requests and its connection.
 *
 * A model may also be fittable: handed a collection it returns a second model that has learnt from
 * it (of other dimensions, perhaps) and that can be stored as bytes and loaded again. A
 * semantic_index fits once and keeps the bytes; a model that `refits` it fits again.
 *
 * The functions below check input once for all models (UTF-8, not empty), and the output (finite
 * numbers, one length). A model's own methods are called by nobody else.
 *
 * A text that cannot be embedded, or a document that cannot be scored, for a reason of its own (it
 * is no text, is too long, is refused by a server that takes others) is no failure of the call, if
 * the caller says where such refusals go.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/span.h"

enum model_task { MODEL_EMBED = 1, MODEL_RERANK = 2 };
enum model_role { MODEL_DOCUMENT, MODEL_QUERY };

/* Texts to embed. Order is kept; all spans are borrowed for the call. */
struct model_texts {
    const struct span *texts; /* [n_texts], each valid UTF-8 without NUL, not empty */
    size_t n_texts;
    enum model_role role;
    const struct cancel *cancel; /* or NULL */
    size_t prefix_size;          /* bytes at the beginning of each that are not the text's own */
};

/* Where embeddings go as they come: in any order, each text once. The embedding [dimensions] is
 * borrowed. */
struct model_sink {
    int (*put)(void *context, size_t text, const float *embedding, size_t dimensions,
               struct error *err);
    /* After the last embedding of one request; NULL: nobody asks. */
    int (*end)(void *context, struct error *err);
    /* A text that gets none, and why (borrowed), for a reason of its own: the call goes on with the
     * others. NULL: the first such reason is the error of the call. */
    int (*refuse)(void *context, size_t text, const struct error *why, struct error *err);
    void *context;
};

/* Embeddings collected: model_embeddings_put is a sink's `put` for it. */
struct model_embeddings {
    float *vectors; /* [n_texts, dimensions], allocated with the first one; the caller frees */
    size_t n_texts, dimensions;
};
int model_embeddings_put(void *context, size_t text, const float *embedding, size_t dimensions,
                         struct error *err);

/* What work has cost; raised by the model as it goes, also when it fails. */
struct model_usage {
    uint64_t requests;  /* calls to where the model is, repeated ones included */
    uint64_t retries;   /* of these, repeated */
    uint64_t tokens;    /* as counted by the provider, where it tells */
    uint64_t bytes;     /* sent and received */
    uint64_t truncated; /* texts that were longer than the model reads, and cut */
};

/* A text as tokens, for a model that has any. */
struct model_tokens {
    uint32_t *ids; /* [n], special ones included; the caller frees */
    size_t n;
};

/* A query and the whole candidate set: one call reads them all. */
struct model_candidates {
    struct span query;            /* valid UTF-8 without NUL, not empty */
    const struct span *documents; /* [n_documents], valid UTF-8 without NUL; may be empty texts */
    size_t n_documents;
    const float *similarities;   /* [n_documents] similarity in [-1, 1] that retrieval gave; NULL */
    const double *fused;         /* [n_documents] finite: what retrieval ranked them by, words and
                                    vectors together, higher is better; NULL: it did not */
    const size_t *title_sizes;   /* [n_documents] bytes at the beginning of each that are its title,
                                    0: it has none; NULL: nobody knows */
    const struct cancel *cancel; /* or NULL */
    /* The documents as the JSON objects that their texts were made of, for a model that reads
     * fields itself; NULL: there are none. */
    const struct span *objects;
    struct span fields; /* comma separated names of fields to read; empty: all */
    size_t top_n;       /* so many are wanted, 0: all; the others' scores may be NAN */
    /* [n_documents], written: 1 for a document that has no score (NAN) for a reason of its own:
     * nothing but white space, no text, refused by the model. NULL: the first such reason is the
     * error of the call, and the model reads white space as it can. */
    unsigned char *refused;
};

/* A collection to learn from, read once, front to back. */
struct model_collection {
    uint64_t n_documents; /* how many `next` will give, exactly or nearly */
    /* *text: the next document, valid until the next call; *done = 1 after the last one. 0 or an
     * error code. */
    int (*next)(void *context, struct span *text, int *done, struct error *err);
    void *context;
    const struct cancel *cancel; /* or NULL */
};

/* How rare words are in the collection that a query is asked of. */
struct model_rarity {
    /* *idf: of a word in small letters, above 0, ln(1 + (N - n + .5) / (n + .5)) of N documents n
     * of which have it; 0: not known. 0 or an error code. */
    int (*find)(void *context, struct span word, double *idf, struct error *err);
    void *context;
};

struct model;

struct model_methods {
    /* Hands the embedding of each text to the sink, or why there is none; what it handed over
     * before a failure counts. NULL if it does not embed. */
    int (*embed)(struct model *model, const struct model_texts *texts,
                 const struct model_sink *sink, struct model_usage *usage, struct error *err);
    /* scores: [n_documents], higher is better, every digit that the model gives. `refused` is all
     * zero where it is not NULL; a score of what is refused need not be written. NULL if it does
     * not rerank. */
    int (*rerank)(struct model *model, const struct model_candidates *candidates, double *scores,
                  struct model_usage *usage, struct error *err);
    /* A new model that has learnt from the collection; the old one is unchanged. NULL if not
     * fittable. */
    int (*fit)(struct model *model, const struct model_collection *collection,
               struct model **fitted, struct error *err);
    /* A fitted model to bytes, and back. Bytes are untrusted: load checks them all (ERROR_CORRUPT).
     * NULL as fit. */
    int (*save)(struct model *fitted, struct buffer *bytes, struct error *err);
    int (*load)(struct model *model, struct span bytes, struct model **fitted, struct error *err);
    /* The tokens of a text [of UTF-8, may be empty], however many: nothing is cut. With `ids` 0
     * only tokens->n is written. NULL: the model has none. */
    int (*tokenize)(struct model *model, struct span text, const struct cancel *cancel, int ids,
                    struct model_tokens *tokens, struct error *err);
    /* What its embeddings follow from beside its name and the text, as one number that is the same
     * on every machine and may be stored: weights, vocabulary, configuration. Reads what is not in
     * memory yet. NULL: the name says it all. */
    int (*fingerprint)(struct model *model, const struct cancel *cancel, uint64_t *fingerprint,
                       struct error *err);
    /* Whether what the model sees of a query is in one of the texts, or in what it was fitted on.
     * NULL: it sees sense in every text. */
    int (*has_sense)(struct model *model, struct span query, const struct span *texts,
                     size_t n_texts, const struct cancel *cancel, int *has, struct error *err);
    /* The share of a query's words that it has learnt, 0 to 1, where it makes something of others,
     * too. NULL: nobody knows. */
    int (*knows)(struct model *model, struct span query, const struct cancel *cancel, double *share,
                 struct error *err);
    /* The embedding [dimensions] of a query in which each word counts by how rare it is in a
     * collection beside how rare it was in what the model has learnt. It is left as it is where
     * nothing is known of the words. NULL: the model knows no words. */
    int (*embed_by_rarity)(struct model *model, struct span query,
                           const struct model_rarity *rarity, const struct cancel *cancel,
                           float *embedding, struct error *err);
    void (*free)(struct model *model);
};

/* The head of every model; a kind of model embeds it as its first member. */
struct model {
    const struct model_methods *methods;
    const char *name;  /* "provider:name", static or owned by the model */
    size_t dimensions; /* of its embeddings; 0 if it does not embed, or has not yet */
    size_t batch_size; /* texts that it takes in one request, 1 or more */
    size_t max_tokens; /* of a text, special ones included; 0: not known, or no limit */
    int is_listwise;   /* its scores are places among the documents of a call: one alone has none */
    /* [role] what goes before a text, as the model's own files say; owned by the model; NULL: they
     * do not say. Put there by the caller. */
    const char *prompts[2];
    int is_of_old_rules; /* fitted by an earlier version, which reads texts in another way */
    int refits;          /* is to be fitted again when its collection has doubled since */
};

/* 0, or ERROR_INVALID: not UTF-8, a NUL character, (when empty_is_error) nothing but white space
 * (text/blank.h). The text begins "the text ..." and names the byte. */
int model_check_text(struct span text, int empty_is_error, struct error *err);

/* 0, or ERROR_UNAVAILABLE: a vector of so many dimensions is none of a model that has others. */
int model_check_dimensions(const struct model *model, size_t dimensions, struct error *err);

/* Embeds any number of texts. The sink gets finite vectors of model->dimensions, which is learnt
 * from the first vector where it was 0; another length is ERROR_UNAVAILABLE. Refused are texts that
 * model_check_text does not take (they never reach the model), vectors that are not finite, and
 * what the model itself refuses. */
int model_embed(struct model *model, const struct model_texts *texts, const struct model_sink *sink,
                struct model_usage *usage, struct error *err);

/* Scores all candidates in one call. scores: [n_documents]; those that may be missing (top_n) are
 * NAN then, and those of documents that were refused. No document: no call. */
int model_rerank(struct model *model, const struct model_candidates *candidates, double *scores,
                 struct model_usage *usage, struct error *err);

/* The tokens of a text as the model counts them, special ones included, nothing cut. With `ids` 0
 * only tokens->n is written. ERROR_UNAVAILABLE: the model does not tell; errors of
 * model_check_text, but for an empty text. */
int model_tokenize(struct model *model, struct span text, const struct cancel *cancel, int ids,
                   struct model_tokens *tokens, struct error *err);

/* 0 for a model without one. */
int model_fingerprint(struct model *model, const struct cancel *cancel, uint64_t *fingerprint,
                      struct error *err);

/* Accepts NULL. */
void model_free(struct model *model);

#endif
