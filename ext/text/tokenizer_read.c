/*
 * tokenizer_read.c: a tokenizer from the files that a model comes with.
 */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "text/tokenizer.h"
#include "text/tokenizer_parts.h"

#define MAX_SIZE (1u << 24) /* ids; the largest vocabularies have some 250,000 */
#define MAX_ADDED 10000
#define LONGEST_WORD 100 /* characters, of WordPiece where a file says nothing */
#define CONTINUING "##"  /* the same */

/* ---- members --------------------------------------------------------------------------------- */

static int refuse(const char *member, const char *what, struct error *err)
{
    return error_set(err, ERROR_INVALID, "%s: %.100s is not known here", member, what);
}

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

/* A whole number from 0 to most; -1 for anything else. */
static int64_t whole(const cJSON *item, double most)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= most)) return -1;
    return item->valuedouble == floor(item->valuedouble) ? (int64_t)item->valuedouble : -1;
}

/* Of a token that is there twice the last id counts, as in the reference. */
static int add_piece(struct tokenizer *tokenizer, struct span piece, int64_t id, struct error *err)
{
    if (id < 0 || id >= MAX_SIZE)
        return error_set(err, ERROR_INVALID, "model: the token '%.*s' has no id from 0 to %u",
                         (int)(piece.size < 60 ? piece.size : 60), piece.data, MAX_SIZE - 1);
    if (tokenizer->size <= (size_t)id) tokenizer->size = (size_t)id + 1;
    return piece.size == 0 ? 0 : trie_add(&tokenizer->pieces, piece, (int32_t)id, err);
}

/* ---- the model ------------------------------------------------------------------------------- */

/* The node behind the prefix of what continues a word. */
static void find_continuing(struct tokenizer *tokenizer, const char *prefix)
{
    tokenizer->continuing = TRIE_ROOT;
    for (; *prefix != '\0' && tokenizer->continuing != TRIE_NONE; prefix++)
        tokenizer->continuing =
            trie_step(&tokenizer->pieces, tokenizer->continuing, (unsigned char)*prefix);
}

static int read_word_piece(struct tokenizer *tokenizer, const cJSON *model, struct error *err)
{
    const cJSON *item, *vocabulary = json_at(model, "/vocab");
    const cJSON *prefix = json_at(model, "/continuing_subword_prefix"); /* may be empty */
    const char *unknown = json_text_at(model, "/unk_token");
    const cJSON *longest = json_at(model, "/max_input_chars_per_word");
    int rc = 0;
    if (!cJSON_IsObject(vocabulary) || vocabulary->child == NULL)
        return error_set(err, ERROR_INVALID, "model: expected a vocab of tokens and ids");
    cJSON_ArrayForEach(item, vocabulary)
    {
        if (rc == 0) rc = add_piece(tokenizer, span_of(item->string), whole(item, MAX_SIZE), err);
    }
    if (rc != 0) return rc;
    int64_t n = whole(longest, 1e6);
    tokenizer->longest_word = n > 0 ? (size_t)n : LONGEST_WORD;
    find_continuing(tokenizer, cJSON_IsString(prefix) ? prefix->valuestring : CONTINUING);
    if (unknown == NULL) unknown = "[UNK]";
    tokenizer->unknown = trie_find(&tokenizer->pieces, span_of(unknown));
    return tokenizer->unknown >= 0
               ? 0
               : error_set(err, ERROR_INVALID,
                           "model: the unknown token '%.60s' is not in the vocab", unknown);
}

/* SentencePiece gives what is unknown 10 less than the least score. */
static int read_unigram(struct tokenizer *tokenizer, const cJSON *model, struct error *err)
{
    const cJSON *item, *vocabulary = json_at(model, "/vocab");
    size_t n = cJSON_IsArray(vocabulary) ? (size_t)cJSON_GetArraySize(vocabulary) : 0, id = 0;
    double least = 0;
    int rc = 0;
    if (n == 0 || n > MAX_SIZE)
        return error_set(err, ERROR_INVALID, "model: expected a vocab of tokens and scores");
    if (json_flag(model, "byte_fallback", 0)) return refuse("model", "byte_fallback", err);
    tokenizer->scores = memory_zalloc(n, sizeof *tokenizer->scores);
    if (tokenizer->scores == NULL) return error_nomem(err);
    cJSON_ArrayForEach(item, vocabulary)
    {
        const cJSON *piece = cJSON_IsArray(item) ? item->child : NULL;
        const cJSON *score = piece != NULL ? piece->next : NULL;
        if (!cJSON_IsString(piece) || !cJSON_IsNumber(score) || !isfinite(score->valuedouble))
            return error_set(err, ERROR_INVALID,
                             "model: entry %zu of the vocab is no token and score", id);
        tokenizer->scores[id] = score->valuedouble;
        if (score->valuedouble < least) least = score->valuedouble;
        rc = add_piece(tokenizer, span_of(piece->valuestring), (int64_t)id++, err);
        if (rc != 0) return rc;
    }
    tokenizer->unknown_score = least - 10;
    tokenizer->unknown = whole(json_at(model, "/unk_id"), (double)(n - 1));
    return 0;
}

static const struct {
    const char *type;
    int (*read)(struct tokenizer *tokenizer, const cJSON *model, struct error *err);
} models[N_TOKENIZER_KINDS] = {
    [TOKENIZER_WORD_PIECE] = {"WordPiece", read_word_piece},
    [TOKENIZER_UNIGRAM] = {"Unigram", read_unigram},
};

/* N_TOKENIZER_KINDS: no kind is called that. */
static int kind_called(const char *type)
{
    int kind = 0;
    while (kind < N_TOKENIZER_KINDS && strcmp(type, models[kind].type) != 0) kind++;
    return kind;
}

/* Old files do not say the type: the form of the vocab does. */
static int read_model(struct tokenizer *tokenizer, const cJSON *model, struct error *err)
{
    const char *type = json_text_at(model, "/type");
    if (!cJSON_IsObject(model)) return error_set(err, ERROR_INVALID, "it has no model");
    int kind = cJSON_IsArray(json_at(model, "/vocab")) ? TOKENIZER_UNIGRAM : TOKENIZER_WORD_PIECE;
    if (type != NULL) kind = kind_called(type);
    if (kind == N_TOKENIZER_KINDS) return refuse("model", type, err);
    tokenizer->kind = (enum tokenizer_kind)kind;
    return models[kind].read(tokenizer, model, err);
}

/* ---- pre_tokenizer --------------------------------------------------------------------------- */

static int read_metaspace(struct splitter *splitter, const cJSON *json, struct error *err)
{
    const char *mark = json_text_at(json, "/replacement");
    const char *scheme = json_text_at(json, "/prepend_scheme");
    if (mark == NULL) mark = "\xE2\x96\x81";
    if (strlen(mark) >= sizeof splitter->mark) return refuse("pre_tokenizer", mark, err);
    memcpy(splitter->mark, mark, strlen(mark) + 1);
    splitter->keeps_whole = !json_flag(json, "split", 1);
    if (scheme == NULL) scheme = json_flag(json, "add_prefix_space", 1) ? "always" : "never";
    if (strcmp(scheme, "always") == 0) splitter->prefix = PREFIX_ALWAYS;
    else if (strcmp(scheme, "first") == 0) splitter->prefix = PREFIX_FIRST;
    else if (strcmp(scheme, "never") == 0) splitter->prefix = PREFIX_NEVER;
    else return refuse("pre_tokenizer", scheme, err);
    return 0;
}

static int read_punctuation(struct splitter *splitter, const cJSON *json, struct error *err)
{
    const char *behavior = json_text_at(json, "/behavior");
    (void)splitter;
    return behavior == NULL || strcmp(behavior, "Isolated") == 0
               ? 0
               : refuse("pre_tokenizer: Punctuation", behavior, err);
}

static const struct {
    const char *type;
    enum splitter_kind kind;
    /* What it has to say; NULL: nothing. */
    int (*read)(struct splitter *splitter, const cJSON *json, struct error *err);
} splitters[] = {
    {"BertPreTokenizer", SPLIT_BERT, NULL},
    {"Whitespace", SPLIT_WHITESPACE, NULL},
    {"WhitespaceSplit", SPLIT_SPACES, NULL},
    {"Punctuation", SPLIT_PUNCTUATION, read_punctuation},
    {"Metaspace", SPLIT_METASPACE, read_metaspace},
};
enum { N_SPLITTERS = sizeof splitters / sizeof *splitters };

static int read_splitter(struct tokenizer *tokenizer, const cJSON *json, struct error *err);

static int read_splitters(struct tokenizer *tokenizer, const cJSON *list, struct error *err)
{
    const cJSON *item;
    int rc = 0;
    cJSON_ArrayForEach(item, list)
    {
        if (rc == 0 && json_at(item, "/pretokenizers") != NULL)
            rc = refuse("pre_tokenizer", "a Sequence in a Sequence", err);
        if (rc == 0) rc = read_splitter(tokenizer, item, err);
    }
    return rc;
}

static int read_splitter(struct tokenizer *tokenizer, const cJSON *json, struct error *err)
{
    const char *type = json_text_at(json, "/type");
    if (json == NULL || cJSON_IsNull(json)) return 0;
    if (type == NULL) return error_set(err, ERROR_INVALID, "pre_tokenizer: it has no type");
    if (strcmp(type, "Sequence") == 0)
        return read_splitters(tokenizer, json_at(json, "/pretokenizers"), err);
    if (tokenizer->n_splitters == TOKENIZER_SPLITTERS)
        return error_set(err, ERROR_INVALID, "pre_tokenizer: more than %d steps",
                         TOKENIZER_SPLITTERS);
    for (size_t i = 0; i < tokenizer->n_splitters; i++)
        if (tokenizer->splitters[i].kind == SPLIT_METASPACE)
            return refuse("pre_tokenizer", "a step behind Metaspace", err);
    size_t which = 0;
    while (which < N_SPLITTERS && strcmp(type, splitters[which].type) != 0) which++;
    if (which == N_SPLITTERS) return refuse("pre_tokenizer", type, err);
    struct splitter *splitter = &tokenizer->splitters[tokenizer->n_splitters++];
    splitter->kind = splitters[which].kind;
    return splitters[which].read == NULL ? 0 : splitters[which].read(splitter, json, err);
}

/* ---- post_processor -------------------------------------------------------------------------- */

static int add_part(struct post_processor *post, int text, int64_t id, int segment,
                    struct error *err)
{
    if (post->n == POST_PARTS || id < 0)
        return error_set(err, ERROR_INVALID, "post_processor: a template that is damaged");
    post->parts[post->n++] = (struct post_part){text, (uint32_t)id, (uint8_t)(segment != 0)};
    post->n_special += text < 0;
    return 0;
}

/* Special tokens of a template may be several ids each. */
static int add_special(struct post_processor *post, const cJSON *json, const cJSON *item,
                       int segment, struct error *err)
{
    const char *name = json_text_at(item, "/id");
    const cJSON *id, *specials = json_at(json, "/special_tokens");
    const cJSON *special =
        name == NULL || specials == NULL ? NULL : cJSON_GetObjectItemCaseSensitive(specials, name);
    const cJSON *ids = json_at(special, "/ids");
    int rc = cJSON_IsArray(ids) ? 0 : add_part(post, -1, -1, 0, err);
    if (rc != 0) return rc;
    cJSON_ArrayForEach(id, ids)
    {
        if (rc == 0) rc = add_part(post, -1, whole(id, MAX_SIZE - 1), segment, err);
    }
    return rc;
}

static int read_template_of(struct post_processor *post, const cJSON *json, const char *member,
                            struct error *err)
{
    const cJSON *item, *list = json_at(json, member);
    int rc = 0;
    cJSON_ArrayForEach(item, list)
    {
        const cJSON *special = json_at(item, "/SpecialToken");
        const cJSON *sequence = json_at(item, "/Sequence");
        const char *which = json_text_at(sequence, "/id");
        const cJSON *part = special != NULL ? special : sequence;
        int segment = (int)whole(json_at(part, "/type_id"), 1);
        if (rc != 0) break;
        if (segment < 0) segment = 0;
        if (special != NULL) rc = add_special(post, json, special, segment, err);
        else
            rc = add_part(post, which != NULL && strcmp(which, "B") == 0, which == NULL ? -1 : 0,
                          segment, err);
    }
    return rc;
}

/* [CLS] A [SEP] B [SEP], or <s> A </s> </s> B </s>. */
static int fill_fixed(struct tokenizer *tokenizer, int64_t begin, int64_t end, int is_roberta,
                      struct error *err)
{
    int rc = 0;
    for (int pair = 0; rc == 0 && pair < 2; pair++) {
        struct post_processor *post = &tokenizer->post[pair];
        int segment = !is_roberta;
        rc = add_part(post, -1, begin, 0, err);
        if (rc == 0) rc = add_part(post, 0, 0, 0, err);
        if (rc == 0) rc = add_part(post, -1, end, 0, err);
        if (rc == 0 && pair && is_roberta) rc = add_part(post, -1, end, 0, err);
        if (rc == 0 && pair) rc = add_part(post, 1, 0, segment, err);
        if (rc == 0 && pair) rc = add_part(post, -1, end, segment, err);
    }
    return rc;
}

static int read_template(struct tokenizer *tokenizer, const cJSON *json, struct error *err)
{
    int rc = read_template_of(&tokenizer->post[0], json, "/single", err);
    return rc == 0 ? read_template_of(&tokenizer->post[1], json, "/pair", err) : rc;
}

static int read_fixed(struct tokenizer *tokenizer, const cJSON *json, int is_roberta,
                      struct error *err)
{
    const cJSON *cls = json_at(json, "/cls"), *sep = json_at(json, "/sep");
    return fill_fixed(tokenizer, whole(cJSON_GetArrayItem(cls, 1), MAX_SIZE - 1),
                      whole(cJSON_GetArrayItem(sep, 1), MAX_SIZE - 1), is_roberta, err);
}

static int read_bert(struct tokenizer *tokenizer, const cJSON *json, struct error *err)
{
    return read_fixed(tokenizer, json, 0, err);
}

static int read_roberta(struct tokenizer *tokenizer, const cJSON *json, struct error *err)
{
    return read_fixed(tokenizer, json, 1, err);
}

static const struct {
    const char *type;
    int (*read)(struct tokenizer *tokenizer, const cJSON *json, struct error *err);
} processors[] = {
    {"TemplateProcessing", read_template},
    {"BertProcessing", read_bert},
    {"RobertaProcessing", read_roberta},
};
enum { N_PROCESSORS = sizeof processors / sizeof *processors };

/* The texts and nothing else. */
static int fill_bare(struct tokenizer *tokenizer, struct error *err)
{
    int rc = add_part(&tokenizer->post[0], 0, 0, 0, err);
    if (rc == 0) rc = add_part(&tokenizer->post[1], 0, 0, 0, err);
    return rc == 0 ? add_part(&tokenizer->post[1], 1, 0, 1, err) : rc;
}

/* ByteLevel changes offsets alone; of all others a Sequence may have one. */
static const cJSON *only_processor(const cJSON *json)
{
    const cJSON *item, *only = NULL;
    cJSON_ArrayForEach(item, json_at(json, "/processors"))
    {
        const char *type = json_text_at(item, "/type");
        if (type != NULL && strcmp(type, "ByteLevel") == 0) continue;
        if (only != NULL) return json; /* to be refused */
        only = item;
    }
    return only;
}

static int read_processor(struct tokenizer *tokenizer, const cJSON *json, struct error *err)
{
    const char *type = json_text_at(json, "/type");
    if (type != NULL && strcmp(type, "Sequence") == 0) json = only_processor(json);
    if (json == NULL || cJSON_IsNull(json)) return fill_bare(tokenizer, err);
    type = json_text_at(json, "/type");
    if (type == NULL) return error_set(err, ERROR_INVALID, "post_processor: it has no type");
    for (size_t i = 0; i < N_PROCESSORS; i++)
        if (strcmp(type, processors[i].type) == 0) return processors[i].read(tokenizer, json, err);
    return refuse("post_processor", type, err);
}

/* ---- added_tokens ---------------------------------------------------------------------------- */

static int add_token(struct tokenizer *tokenizer, const struct added_token *token,
                     struct span content, int is_normalized, struct error *err)
{
    struct buffer normalized, spare;
    int rc = 0;
    buffer_init(&normalized, 1 << 20);
    buffer_init(&spare, 1 << 20);
    if (is_normalized) {
        rc = normalizers_apply(&tokenizer->normalizers, content, NULL, &normalized, &spare, err);
        content = (struct span){normalized.data, normalized.size};
    }
    tokenizer->added_tokens[tokenizer->n_added] = *token;
    if (tokenizer->size <= token->id) tokenizer->size = (size_t)token->id + 1;
    if (rc == 0 && content.size > 0)
        rc =
            trie_add(&tokenizer->added[is_normalized], content, (int32_t)tokenizer->n_added++, err);
    buffer_deinit(&normalized);
    buffer_deinit(&spare);
    return rc;
}

static int read_added(struct tokenizer *tokenizer, const cJSON *list, struct error *err)
{
    size_t n = cJSON_IsArray(list) ? (size_t)cJSON_GetArraySize(list) : 0;
    const cJSON *item;
    int rc = 0;
    if (n > MAX_ADDED)
        return error_set(err, ERROR_INVALID, "added_tokens: more than %d", MAX_ADDED);
    tokenizer->added_tokens = memory_zalloc(n, sizeof *tokenizer->added_tokens);
    if (tokenizer->added_tokens == NULL) return error_nomem(err);
    cJSON_ArrayForEach(item, list)
    {
        int64_t id = whole(json_at(item, "/id"), MAX_SIZE - 1);
        const char *content = json_text_at(item, "/content");
        if (rc != 0) break;
        if (id < 0 || content == NULL)
            return error_set(err, ERROR_INVALID, "added_tokens: an entry without id or content");
        int32_t known = trie_find(&tokenizer->pieces, span_of(content)); /* which counts, then */
        struct added_token token = {.id = known >= 0 ? (uint32_t)known : (uint32_t)id,
                                    .single_word = json_flag(item, "single_word", 0),
                                    .left = json_flag(item, "lstrip", 0),
                                    .right = json_flag(item, "rstrip", 0)};
        int is_special = json_flag(item, "special", 0);
        rc = add_token(tokenizer, &token, span_of(content),
                       json_flag(item, "normalized", !is_special), err);
    }
    return rc;
}

/* ---- the files ------------------------------------------------------------------------------- */

/* What tokens depend on: neither the file's truncation and padding, nor how it is laid out. */
static uint64_t hash_json(const cJSON *root)
{
    static const char *const members[] = {"/normalizer", "/pre_tokenizer", "/model",
                                          "/post_processor", "/added_tokens"};
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        hash = json_hash(json_at(root, members[i]), hash);
    return hash;
}

static int read_json(struct tokenizer *tokenizer, struct span bytes, struct error *err)
{
    cJSON *root;
    int rc = json_parse(bytes, &root, err);
    if (rc == 0 && !cJSON_IsObject(root)) rc = error_set(err, ERROR_INVALID, "it is no object");
    if (rc == 0) tokenizer->hash = hash_json(root);
    if (rc == 0) rc = normalizers_read(&tokenizer->normalizers, json_at(root, "/normalizer"), err);
    if (rc == 0) rc = read_splitter(tokenizer, json_at(root, "/pre_tokenizer"), err);
    if (rc == 0) rc = read_model(tokenizer, json_at(root, "/model"), err);
    if (rc == 0) rc = read_processor(tokenizer, json_at(root, "/post_processor"), err);
    if (rc == 0) rc = read_added(tokenizer, json_at(root, "/added_tokens"), err);
    cJSON_Delete(root);
    if (rc != 0) error_context(err, "tokenizer.json");
    return rc;
}

static int read_lines(struct tokenizer *tokenizer, struct span text, struct error *err)
{
    int64_t id = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < text.size; id++) {
        const char *end = memchr(text.data + i, '\n', text.size - i);
        size_t size = end == NULL ? text.size - i : (size_t)(end - text.data) - i, n = size;
        if (n > 0 && text.data[i + n - 1] == '\r') n--;
        rc = add_piece(tokenizer, (struct span){text.data + i, n}, id, err);
        i += size + 1;
    }
    return rc;
}

/* The name of a special token: a text, or an object that holds it. */
static const char *special_name(const cJSON *config, const char *member, const char *usual)
{
    const cJSON *item = config == NULL ? NULL : cJSON_GetObjectItemCaseSensitive(config, member);
    const char *text =
        cJSON_IsObject(item) ? json_text_at(item, "/content") : json_text_at(item, "");
    return text != NULL ? text : usual;
}

static int read_specials(struct tokenizer *tokenizer, const cJSON *config, struct error *err)
{
    static const char *const names[][2] = {{"unk_token", "[UNK]"},
                                           {"cls_token", "[CLS]"},
                                           {"sep_token", "[SEP]"},
                                           {"pad_token", "[PAD]"},
                                           {"mask_token", "[MASK]"}};
    enum { N = sizeof names / sizeof *names };
    int64_t ids[N];
    tokenizer->added_tokens = memory_zalloc(N, sizeof *tokenizer->added_tokens);
    if (tokenizer->added_tokens == NULL) return error_nomem(err);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < N; i++) {
        struct span name = span_of(special_name(config, names[i][0], names[i][1]));
        ids[i] = trie_find(&tokenizer->pieces, name);
        if (ids[i] < 0 && i < 3)
            return error_set(err, ERROR_INVALID, "%.*s is not there", (int)name.size, name.data);
        if (ids[i] >= 0)
            rc = add_token(tokenizer, &(struct added_token){.id = (uint32_t)ids[i]}, name, 0, err);
    }
    if (rc != 0) return rc;
    tokenizer->unknown = ids[0];
    return fill_fixed(tokenizer, ids[1], ids[2], 0, err);
}

/* The tokens, those that are special, and how a text is spelt. */
static uint64_t hash_vocabulary(const struct tokenizer *tokenizer, struct span text)
{
    const struct normalizer *step = &tokenizer->normalizers.steps[0];
    uint64_t hash = hash_bytes(text.data, text.size, 0);
    const uint64_t flags[] = {(uint64_t)step->clean_text, (uint64_t)step->chinese,
                              (uint64_t)step->strip_accents, (uint64_t)step->lowercase};
    for (size_t i = 0; i < tokenizer->n_added; i++) {
        const uint64_t id = tokenizer->added_tokens[i].id;
        hash = hash_bytes(&id, sizeof id, hash);
    }
    return hash_bytes(flags, sizeof flags, hash);
}

/* BERT's own files: a token a line, and how to spell a text. */
static int read_vocabulary(struct tokenizer *tokenizer, const struct tokenizer_files *files,
                           struct error *err)
{
    cJSON *config = NULL;
    int rc = 0;
    if (files->tokenizer_config_json.size > 0) {
        rc = json_parse(files->tokenizer_config_json, &config, err);
        if (rc == 0 && !cJSON_IsObject(config))
            rc = error_set(err, ERROR_INVALID, "it is no object");
        if (rc != 0) error_context(err, "tokenizer_config.json");
    }
    if (rc == 0) {
        normalizers_bert(&tokenizer->normalizers, config);
        tokenizer->kind = TOKENIZER_WORD_PIECE;
        tokenizer->splitters[tokenizer->n_splitters++].kind = SPLIT_BERT;
        tokenizer->longest_word = LONGEST_WORD;
        rc = read_lines(tokenizer, files->vocab_txt, err);
        if (rc == 0) rc = read_specials(tokenizer, config, err);
        if (rc != 0) error_context(err, "vocab.txt");
        find_continuing(tokenizer, CONTINUING);
        tokenizer->hash = hash_vocabulary(tokenizer, files->vocab_txt);
    }
    cJSON_Delete(config);
    return rc;
}

/* Ids of special tokens count as well: whoever has a row for each id below the size is safe. */
static void count_specials(struct tokenizer *tokenizer)
{
    for (int i = 0; i < 2; i++) {
        const struct post_processor *post = &tokenizer->post[i];
        for (size_t j = 0; j < post->n; j++)
            if (post->parts[j].text < 0 && post->parts[j].id >= tokenizer->size)
                tokenizer->size = (size_t)post->parts[j].id + 1;
    }
}

int tokenizer_new(const struct tokenizer_files *files, struct tokenizer **made, struct error *err)
{
    struct tokenizer *tokenizer = memory_zalloc(1, sizeof *tokenizer);
    *made = NULL;
    if (tokenizer == NULL) return error_nomem(err);
    int rc = files->tokenizer_json.size > 0 ? read_json(tokenizer, files->tokenizer_json, err)
                                            : read_vocabulary(tokenizer, files, err);
    count_specials(tokenizer);
    if (rc == 0) *made = tokenizer;
    else tokenizer_free(tokenizer);
    return rc;
}

void tokenizer_free(struct tokenizer *tokenizer)
{
    if (tokenizer == NULL) return;
    normalizers_deinit(&tokenizer->normalizers);
    trie_deinit(&tokenizer->pieces);
    for (int i = 0; i < 2; i++) trie_deinit(&tokenizer->added[i]);
    memory_free(tokenizer->scores);
    memory_free(tokenizer->added_tokens);
    memory_free(tokenizer);
}
