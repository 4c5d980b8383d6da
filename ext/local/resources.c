#include "local/resources.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "local/precision.h"

#define MAX_TOKENIZER (96u << 20) /* bytes of tokenizer.json; that of XLM-RoBERTa has 17 MB */

struct make_context {
    struct local *local;
    const struct cancel *cancel;
};

/* The path of a file below the folder, in one of its own unless that is "". */
static void path_of(const struct local *local, const char *below, const char *file,
                    char path[FILE_PATH_SIZE])
{
    snprintf(path, FILE_PATH_SIZE, "%s/%s%s%s", local->folder, below, below[0] == '\0' ? "" : "/",
             file);
}

void local_part_of(const struct local *local, char *folder)
{
    const char *part = local->config.part;
    snprintf(folder, FILE_PATH_SIZE, "%s%s%s", local->folder, part[0] == '\0' ? "" : "/", part);
}

/* What tells one state of the files from another. */
static int add_stamps(const struct local *local, const char *below, const char *const *files,
                      struct buffer *key, struct error *err)
{
    int rc = 0;
    for (; rc == 0 && *files != NULL; files++) {
        char path[FILE_PATH_SIZE], stamp[FILE_STAMP_SIZE];
        path_of(local, below, *files, path);
        file_stamp(path, stamp);
        rc = buffer_format(key, err, " %s", stamp);
    }
    return rc;
}

/* Of the folder's files, whose stamps `key` gets; those that are changed on disk make another
 * thing. */
static int take_shared(struct local *local, const char *kind,
                       int (*add)(const struct local *local, struct buffer *key, struct error *err),
                       const struct shared_maker *maker, struct shared **taken, struct error *err)
{
    const struct make_context *context = maker->context;
    struct buffer key;
    buffer_init(&key, 8 * FILE_PATH_SIZE);
    int rc = buffer_format(&key, err, "%s %s/%s", kind, local->folder, local->config.part);
    if (rc == 0) rc = add(local, &key, err);
    if (rc == 0)
        rc = shared_take((struct span){key.data, key.size}, maker, context->cancel, taken, err);
    buffer_deinit(&key);
    if (rc != 0) error_context(err, "%s", local->name);
    return rc;
}

static int add_vocabulary(const struct local *local, struct buffer *key, struct error *err)
{
    static const char *const files[] = {"tokenizer.json", "vocab.txt", "tokenizer_config.json",
                                        NULL};
    return add_stamps(local, local->config.part, files, key, err);
}

static int is_of_weights(const char *name)
{
    const char *end = strrchr(name, '.');
    return end != NULL && strcmp(end, ".safetensors") == 0;
}

/* The same of all files of weights in a folder, in whatever order it has them. */
static int add_shards(const struct local *local, const char *below, struct buffer *key,
                      struct error *err)
{
    char path[FILE_PATH_SIZE], stamp[FILE_STAMP_SIZE];
    struct file_names names;
    uint64_t sum = 0;
    path_of(local, below, "", path);
    int is_open = file_names_open(path, &names);
    while (is_open && file_names_next(&names)) {
        if (!is_of_weights(names.name)) continue;
        path_of(local, below, names.name, path);
        file_stamp(path, stamp);
        sum += hash_bytes(stamp, strlen(stamp), 0);
    }
    if (is_open) file_names_close(&names);
    return buffer_format(key, err, " %" PRIx64, sum);
}

static int add_folder(const struct local *local, const char *below, struct buffer *key,
                      struct error *err)
{
    static const char *const files[] = {"config.json", "model.safetensors.index.json", NULL};
    int rc = add_stamps(local, below, files, key, err);
    return rc == 0 ? add_shards(local, below, key, err) : rc;
}

static int add_weights(const struct local *local, struct buffer *key, struct error *err)
{
    static const char *const modules[] = {"modules.json", NULL};
    int rc = add_folder(local, local->config.part, key, err);
    if (rc == 0) rc = add_stamps(local, "", modules, key, err);
    for (size_t i = 0; rc == 0 && i < local->config.n_dense; i++)
        rc = add_folder(local, local->config.dense[i].folder, key, err);
    return rc;
}

/* A file of the model's part, if it is there. */
static int read_optional(const struct local *local, const char *file, struct buffer *bytes,
                         struct error *err)
{
    char path[FILE_PATH_SIZE];
    buffer_init(bytes, MAX_TOKENIZER);
    path_of(local, local->config.part, file, path);
    return file_exists(path) ? file_read_whole(path, bytes, err) : 0;
}

static struct span bytes_of(const struct buffer *buffer)
{
    return (struct span){buffer->data, buffer->size};
}

static int make_vocabulary(void *context, void **thing, struct error *err)
{
    const struct local *local = ((struct make_context *)context)->local;
    struct buffer json, text, config;
    struct tokenizer *tokenizer = NULL;
    char folder[FILE_PATH_SIZE];
    local_part_of(local, folder);
    buffer_init(&text, 0);
    buffer_init(&config, 0);
    int rc = read_optional(local, "tokenizer.json", &json, err);
    if (rc == 0 && json.size == 0) rc = read_optional(local, "vocab.txt", &text, err);
    if (rc == 0 && json.size == 0) rc = read_optional(local, "tokenizer_config.json", &config, err);
    if (rc == 0 && json.size == 0 && text.size == 0)
        rc = error_set(err, ERROR_UNAVAILABLE, "no tokenizer.json and no vocab.txt in %.300s",
                       folder);
    struct tokenizer_files files = {bytes_of(&json), bytes_of(&text), bytes_of(&config)};
    if (rc == 0) rc = tokenizer_new(&files, &tokenizer, err);
    buffer_deinit(&json);
    buffer_deinit(&text);
    buffer_deinit(&config);
    *thing = tokenizer;
    return rc;
}

static void free_vocabulary(void *thing)
{
    tokenizer_free(thing);
}

struct loaded {
    const struct local_methods *methods;
    void *weights;
    struct dense *dense; /* NULL: none */
};

static void free_weights(void *thing)
{
    struct loaded *loaded = thing;
    loaded->methods->free(loaded->weights);
    dense_free(loaded->dense);
    memory_free(loaded);
}

/* What local_config_read could not know: of a static model the matrix says it. */
static int check_dense(const struct local_config *config, size_t size, struct error *err)
{
    const struct local_dense *dense = &config->dense[0];
    if (config->n_dense == 0 || dense->n_in == size) return 0;
    return error_set(err, ERROR_CORRUPT,
                     "%s/config.json: in_features: expected %zu, as the model gives, not %zu",
                     dense->folder, size, dense->n_in);
}

static int load_weights(const struct make_context *make, struct loaded *loaded, struct error *err)
{
    const struct local *local = make->local;
    int rc = loaded->methods->load(local, make->cancel, &loaded->weights, err);
    if (rc != 0) return rc;
    struct local_shape shape = loaded->methods->shape(loaded->weights);
    rc = check_dense(&local->config, shape.size, err);
    return rc == 0 ? dense_load(local->folder, &local->config, local->session->n_threads,
                                make->cancel, &loaded->dense, err)
                   : rc;
}

static int make_weights(void *context, void **thing, struct error *err)
{
    const struct make_context *make = context;
    struct loaded *loaded = memory_zalloc(1, sizeof *loaded);
    *thing = NULL;
    if (loaded == NULL) return error_nomem(err);
    loaded->methods = make->local->methods;
    int rc = load_weights(make, loaded, err);
    if (rc == 0) *thing = loaded;
    else free_weights(loaded);
    return rc;
}

const struct tokenizer *local_tokenizer(const struct local *local)
{
    return shared_thing(local->vocabulary);
}

void *local_weights_of(const struct local *local)
{
    return ((struct loaded *)shared_thing(local->weights))->weights;
}

const struct dense *local_dense_of(const struct local *local)
{
    return ((struct loaded *)shared_thing(local->weights))->dense;
}

int local_weights_hash(const struct local *local, const struct cancel *cancel, uint64_t *hash,
                       struct error *err)
{
    const struct loaded *loaded = shared_thing(local->weights);
    size_t n_threads = local->session->n_threads;
    struct loading_block *block = loaded->methods->block(loaded->weights);
    int rc = loading_hash(block, n_threads, cancel, hash, err);
    if (rc == 0 && loaded->dense != NULL)
        rc = dense_hash(loaded->dense, n_threads, cancel, hash, err);
    if (rc != 0) error_context(err, "%s", local->name);
    return rc;
}

int local_load_vocabulary(struct local *local, const struct cancel *cancel, struct error *err)
{
    struct make_context context = {local, cancel};
    struct shared_maker maker = {make_vocabulary, free_vocabulary, &context};
    if (local->vocabulary != NULL) return 0;
    return take_shared(local, "vocabulary", add_vocabulary, &maker, &local->vocabulary, err);
}

/* Each token needs a row of the embedding matrix. */
static int check_vocabulary(const struct local *local, struct error *err)
{
    size_t n_tokens = tokenizer_size(local_tokenizer(local));
    size_t n_rows = local->methods->shape(local_weights_of(local)).n_rows;
    if (n_tokens <= n_rows) return 0;
    return error_set(err, ERROR_CORRUPT,
                     "%s: the tokenizer has %zu tokens, and the embedding matrix %zu rows",
                     local->name, n_tokens, n_rows);
}

/* What local_new could not know: of a static model the matrix says it. */
static int check_dimensions(const struct local *local, struct error *err)
{
    size_t dimensions = local->methods->shape(local_weights_of(local)).size;
    if (local->config.dimensions > 0 || local->dimensions <= dimensions) return 0;
    return error_set(err, ERROR_INVALID, "%s has %zu dimensions, not %zu", local->name, dimensions,
                     local->dimensions);
}

/* Of what is mapped and in use. */
static int check_files(const struct local *local, struct error *err)
{
    const struct loaded *loaded = shared_thing(local->weights);
    int rc = loading_check(loaded->methods->block(loaded->weights), err);
    if (rc == 0 && loaded->dense != NULL) rc = dense_check(loaded->dense, err);
    if (rc != 0) error_context(err, "%s", local->name);
    return rc;
}

int local_load(struct local *local, const struct cancel *cancel, struct error *err)
{
    struct make_context context = {local, cancel};
    struct shared_maker maker = {make_weights, free_weights, &context};
    char kind[40];
    if (local->weights != NULL) return check_files(local, err);
    int rc = local_load_vocabulary(local, cancel, err);
    if (rc != 0) return rc;
    snprintf(kind, sizeof kind, "weights %s %d", local_precision_name(local->precision),
             local->config.classifies);
    rc = take_shared(local, kind, add_weights, &maker, &local->weights, err);
    if (rc == 0) rc = check_files(local, err); /* another may have had it for long */
    if (rc == 0) rc = check_vocabulary(local, err);
    if (rc == 0) rc = check_dimensions(local, err);
    if (rc == 0) return 0;
    shared_give(local->weights);
    local->weights = NULL;
    return rc;
}

void local_unload(struct local *local)
{
    shared_give(local->weights);
    shared_give(local->vocabulary);
    local->weights = local->vocabulary = NULL;
}
