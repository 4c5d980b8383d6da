#include "text/normalizer.h"

#include <string.h>

#include "base/base64.h"
#include "base/memory.h"
#include "text/unicode/ucd.h"
#include "text/utf8.h"

/* ---- reading --------------------------------------------------------------------------------- */

static int refuse(const char *type, struct error *err)
{
    return error_set(err, ERROR_INVALID, "normalizer: %.60s is not known here", type);
}

/* The names that two files have for the same. */
static void read_bert_members(struct normalizer *step, const cJSON *json, const char *lowercase,
                              const char *chinese)
{
    step->clean_text = json_flag(json, "clean_text", 1);
    step->chinese = json_flag(json, chinese, 1);
    step->lowercase = json_flag(json, lowercase, 1);
    step->strip_accents = json_flag(json, "strip_accents", step->lowercase);
}

static int read_bert(struct normalizer *step, const cJSON *json, struct error *err)
{
    (void)err;
    read_bert_members(step, json, "lowercase", "handle_chinese_chars");
    return 0;
}

void normalizers_bert(struct normalizers *normalizers, const cJSON *config)
{
    *normalizers = (struct normalizers){.steps = {{.kind = NORMALIZER_BERT}}, .n = 1};
    read_bert_members(&normalizers->steps[0], config, "do_lower_case", "tokenize_chinese_chars");
}

static int copy_text(const char *text, char **out, struct error *err)
{
    *out = memory_copy(text, strlen(text));
    return *out == NULL ? error_nomem(err) : 0;
}

static int read_strip(struct normalizer *step, const cJSON *json, struct error *err)
{
    (void)err;
    step->left = json_flag(json, "strip_left", 1);
    step->right = json_flag(json, "strip_right", 1);
    return 0;
}

static int read_prepend(struct normalizer *step, const cJSON *json, struct error *err)
{
    const char *text = json_text_at(json, "/prepend");
    return text == NULL ? refuse("Prepend", err) : copy_text(text, &step->from, err);
}

/* A text; or, of regular expressions, those that models have: " +", " {2,}", "\s+", "\s{2,}". */
static int read_replace(struct normalizer *step, const cJSON *json, struct error *err)
{
    const char *text = json_text_at(json, "/pattern/String");
    const char *regex = json_text_at(json, "/pattern/Regex");
    const cJSON *content = json_at(json, "/content"); /* may be empty */
    if (!cJSON_IsString(content) || (regex == NULL && text == NULL))
        return error_set(err, ERROR_INVALID, "normalizer: Replace has no pattern or no content");
    if (regex != NULL) {
        step->kind = NORMALIZER_REPLACE_RUNS;
        step->any_space = strncmp(regex, "\\s", 2) == 0;
        const char *times = regex + (step->any_space ? 2 : 1);
        if (strcmp(times, "+") == 0) step->at_least = 1;
        else if (strcmp(times, "{2,}") == 0) step->at_least = 2;
        if (step->at_least == 0 || (regex[0] != ' ' && !step->any_space))
            return error_set(err, ERROR_INVALID,
                             "normalizer: the pattern '%.60s' is not known here", regex);
    }
    int rc = regex == NULL ? copy_text(text, &step->from, err) : 0;
    return rc == 0 ? copy_text(content->valuestring, &step->to, err) : rc;
}

/* The bytes: a uint32 with the size of the double array, its units, the texts. */
static int read_charsmap(struct normalizer *step, const cJSON *json, struct error *err)
{
    const char *text = json_text_at(json, "/precompiled_charsmap");
    struct span base64 = {text, text == NULL ? 0 : strlen(text)};
    size_t n = base64_size(base64);
    unsigned char *bytes = memory_zalloc(n + sizeof(uint32_t), 1); /* and a NUL at the end */
    if (bytes == NULL) return error_nomem(err);
    step->units = (uint32_t *)(void *)bytes;
    int is_good = base64_decode(base64, bytes, err) == 0 && n >= 8;
    uint32_t size = is_good ? step->units[0] : 0;
    if (size % 4 != 0 || size < 4 || size > n - 4)
        return error_set(err, ERROR_INVALID, "normalizer: precompiled_charsmap is damaged");
    memmove(bytes, bytes + 4, n - 4);
    bytes[n - 4] = '\0';
    step->n_units = size / 4;
    step->texts = (char *)bytes + size;
    step->texts_size = n - 4 - size;
    return 0;
}

static const struct {
    const char *type;
    enum normalizer_kind kind;
    /* What it has to say; NULL: nothing. */
    int (*read)(struct normalizer *step, const cJSON *json, struct error *err);
} steps[] = {
    {"BertNormalizer", NORMALIZER_BERT, read_bert},
    {"Lowercase", NORMALIZER_LOWERCASE, NULL},
    {"StripAccents", NORMALIZER_STRIP_ACCENTS, NULL},
    {"NFC", NORMALIZER_NFC, NULL},
    {"NFD", NORMALIZER_NFD, NULL},
    {"NFKC", NORMALIZER_NFKC, NULL},
    {"NFKD", NORMALIZER_NFKD, NULL},
    {"Strip", NORMALIZER_STRIP, read_strip},
    {"Prepend", NORMALIZER_PREPEND, read_prepend},
    {"Replace", NORMALIZER_REPLACE, read_replace},
    {"Precompiled", NORMALIZER_CHARSMAP, read_charsmap},
};
enum { N_STEPS = sizeof steps / sizeof *steps };

static int read_step(struct normalizers *normalizers, const cJSON *json, int depth,
                     struct error *err);

static int read_sequence(struct normalizers *normalizers, const cJSON *json, int depth,
                         struct error *err)
{
    const cJSON *item, *list = json_at(json, "/normalizers");
    int rc = 0;
    if (!cJSON_IsArray(list) || depth > 4)
        return error_set(err, ERROR_INVALID, "normalizer: a Sequence without normalizers");
    cJSON_ArrayForEach(item, list)
    {
        if (rc == 0) rc = read_step(normalizers, item, depth + 1, err);
    }
    return rc;
}

static int read_step(struct normalizers *normalizers, const cJSON *json, int depth,
                     struct error *err)
{
    const char *type = json_text_at(json, "/type");
    if (type == NULL) return error_set(err, ERROR_INVALID, "normalizer: it has no type");
    if (strcmp(type, "Sequence") == 0) return read_sequence(normalizers, json, depth, err);
    if (normalizers->n == NORMALIZER_STEPS)
        return error_set(err, ERROR_INVALID, "normalizer: more than %d steps", NORMALIZER_STEPS);
    size_t which = 0;
    while (which < N_STEPS && strcmp(type, steps[which].type) != 0) which++;
    if (which == N_STEPS) return refuse(type, err);
    struct normalizer *step = &normalizers->steps[normalizers->n++];
    step->kind = steps[which].kind;
    return steps[which].read == NULL ? 0 : steps[which].read(step, json, err);
}

int normalizers_read(struct normalizers *normalizers, const cJSON *json, struct error *err)
{
    *normalizers = (struct normalizers){0};
    if (json == NULL || cJSON_IsNull(json)) return 0;
    return read_step(normalizers, json, 0, err);
}

void normalizers_deinit(struct normalizers *normalizers)
{
    for (size_t i = 0; i < normalizers->n; i++) {
        memory_free(normalizers->steps[i].from);
        memory_free(normalizers->steps[i].to);
        memory_free(normalizers->steps[i].units);
    }
    normalizers->n = 0;
}

/* ---- applying -------------------------------------------------------------------------------- */

#define POLL ((ptrdiff_t)NORMALIZER_POLL_BYTES)

/* One step on its way through a text. */
struct pass {
    const struct normalizer *step;
    const char *at, *end;
    struct buffer *out;
    const struct cancel *cancel;
    const char *look; /* where the token is looked at next */
    struct error *err;
};

/* Whether there is more to do. */
static int goes_on(struct pass *pass, int *rc)
{
    if (*rc != 0 || pass->at >= pass->end) return 0;
    if (pass->at >= pass->look) {
        pass->look = pass->end - pass->at > POLL ? pass->at + POLL : pass->end;
        *rc = cancel_check(pass->cancel, pass->err);
    }
    return *rc == 0;
}

static int put(struct pass *pass, uint32_t character)
{
    struct buffer *out = pass->out;
    if (out->capacity - out->size < 4 || out->data == NULL) {
        int rc = buffer_reserve(out, out->size / 2 + 64, pass->err);
        if (rc != 0) return rc;
    }
    out->size += utf8_put(character, out->data + out->size);
    return 0;
}

static int put_text(struct pass *pass, const char *data, size_t size)
{
    return buffer_append(pass->out, data, size, pass->err);
}

/* What one character becomes, without accents and in lower case as asked for. */
static int put_folded(struct pass *pass, uint32_t character)
{
    const struct normalizer *step = pass->step;
    uint32_t parts[UCD_MAX_DECOMPOSED] = {character}, lower[2];
    size_t n = step->strip_accents ? ucd_decompose(character, 0, parts) : 1;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (step->strip_accents && ucd_properties(parts[i]) & UCD_NONSPACING) continue;
        size_t n_lower = 1;
        lower[0] = parts[i];
        if (step->lowercase) n_lower = ucd_lower_of(parts[i], lower);
        for (size_t j = 0; rc == 0 && j < n_lower; j++) rc = put(pass, lower[j]);
    }
    return rc;
}

static int apply_bert(struct pass *pass)
{
    const struct normalizer *step = pass->step;
    struct buffer *out = pass->out;
    int rc = buffer_reserve(out, (size_t)(pass->end - pass->at) + 8, pass->err);
    while (goes_on(pass, &rc)) {
        unsigned char byte = (unsigned char)*pass->at;
        if (byte >= ' ' && byte < 0x7F) { /* the usual case: each is one byte */
            int is_upper = step->lowercase && byte >= 'A' && byte <= 'Z';
            if (out->capacity == out->size) rc = buffer_reserve(out, out->size / 2 + 64, pass->err);
            if (rc != 0) break;
            out->data[out->size++] = (char)(is_upper ? byte + 32 : byte);
            pass->at++;
            continue;
        }
        uint32_t c = utf8_next(&pass->at, pass->end);
        unsigned properties = ucd_properties(c);
        if (step->clean_text) {
            int is_blank = properties & UCD_SPACE;
            if (c == 0 || c == 0xFFFD ||
                (properties & UCD_CONTROL && c != '\t' && c != '\n' && c != '\r'))
                continue;
            if (is_blank) c = ' ';
        }
        int is_chinese = step->chinese && ucd_is_chinese(c);
        if (is_chinese) rc = put(pass, ' ');
        if (rc == 0) rc = put_folded(pass, c);
        if (rc == 0 && is_chinese) rc = put(pass, ' ');
    }
    return rc;
}

static int apply_characters(struct pass *pass)
{
    int rc = 0;
    while (goes_on(pass, &rc)) {
        uint32_t c = utf8_next(&pass->at, pass->end), parts[2] = {c};
        size_t n = 1;
        if (pass->step->kind == NORMALIZER_LOWERCASE) n = ucd_lower_of(c, parts);
        else if (ucd_properties(c) & UCD_MARK) n = 0;
        for (size_t i = 0; rc == 0 && i < n; i++) rc = put(pass, parts[i]);
    }
    return rc;
}

/* Characters that are normalised together, and as much room for ucd_normalize. */
struct stretch {
    uint32_t *characters;
    size_t n, capacity;
};

#define STRETCH 256 /* characters at least, then up to a boundary */

static int stretch_room(struct stretch *stretch, struct error *err)
{
    if (stretch->capacity - stretch->n >= UCD_MAX_DECOMPOSED) return 0;
    size_t capacity = 2 * stretch->capacity + 2 * STRETCH;
    uint32_t *grown = memory_realloc(stretch->characters, capacity, 2 * sizeof *grown);
    if (grown == NULL) return error_nomem(err);
    stretch->characters = grown;
    stretch->capacity = capacity;
    return 0;
}

static int put_stretch(struct pass *pass, struct stretch *stretch)
{
    enum normalizer_kind kind = pass->step->kind;
    size_t n =
        ucd_normalize(stretch->characters, stretch->n, stretch->characters + stretch->capacity,
                      kind == NORMALIZER_NFC || kind == NORMALIZER_NFKC);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) rc = put(pass, stretch->characters[i]);
    stretch->n = 0;
    return rc;
}

static int apply_form(struct pass *pass)
{
    struct stretch stretch = {0};
    enum normalizer_kind kind = pass->step->kind;
    int rc = 0, compatible = kind == NORMALIZER_NFKC || kind == NORMALIZER_NFKD;
    while (goes_on(pass, &rc)) {
        uint32_t c = utf8_next(&pass->at, pass->end);
        if (stretch.n >= STRETCH && ucd_is_boundary(c, compatible))
            rc = put_stretch(pass, &stretch);
        if (rc == 0) rc = stretch_room(&stretch, pass->err);
        if (rc == 0) stretch.n += ucd_decompose(c, compatible, stretch.characters + stretch.n);
    }
    if (rc == 0) rc = put_stretch(pass, &stretch);
    memory_free(stretch.characters);
    return rc;
}

static int apply_replace(struct pass *pass)
{
    const char *from = pass->step->from, *to = pass->step->to;
    size_t size = strlen(from);
    int rc = 0;
    while (goes_on(pass, &rc)) {
        size_t left = (size_t)(pass->end - pass->at);
        const char *found = memchr(pass->at, from[0], left);
        if (found == NULL) found = pass->end;
        rc = put_text(pass, pass->at, (size_t)(found - pass->at));
        pass->at = found;
        if (rc != 0 || found == pass->end) continue;
        int is_here = (size_t)(pass->end - found) >= size && memcmp(found, from, size) == 0;
        rc = is_here ? put_text(pass, to, strlen(to)) : put_text(pass, found, 1);
        pass->at += is_here ? size : 1;
    }
    return rc;
}

static int is_replaced(const struct normalizer *step, uint32_t c)
{
    return c == ' ' || (step->any_space && ucd_properties(c) & UCD_SPACE);
}

static int apply_replace_runs(struct pass *pass)
{
    const struct normalizer *step = pass->step;
    int rc = 0;
    while (goes_on(pass, &rc)) {
        const char *start = pass->at, *next = start;
        size_t n = 0;
        while (next < pass->end && is_replaced(step, utf8_next(&next, pass->end))) {
            pass->at = next;
            n++;
        }
        if (n == 0) pass->at = next; /* some other character */
        rc = n >= step->at_least ? put_text(pass, step->to, strlen(step->to))
                                 : put_text(pass, start, (size_t)(pass->at - start));
    }
    return rc;
}

/* The text that the table has for the shortest of its keys that `key` begins with; NULL: none.
 * Units as darts-clone lays them out: label, offset, and whether a value follows. */
static const char *charsmap_find(const struct normalizer *step, struct span key)
{
    size_t at = 0;
    uint32_t unit = step->units[0];
    at ^= (unit >> 10) << ((unit & 0x200) >> 6);
    for (size_t i = 0; i < key.size; i++) {
        unsigned char byte = (unsigned char)key.data[i];
        at ^= byte;
        if (byte == 0 || at >= step->n_units) return NULL;
        unit = step->units[at];
        if ((unit & 0x800000FFu) != byte) return NULL;
        at ^= (unit >> 10) << ((unit & 0x200) >> 6);
        if ((unit >> 8 & 1) == 0) continue;
        if (at >= step->n_units) return NULL;
        size_t value = step->units[at] & 0x7FFFFFFFu;
        return value < step->texts_size ? step->texts + value : NULL;
    }
    return NULL;
}

/* Where the grapheme cluster ends that begins at pass->at, as far as clusters of less than 6 bytes
 * go: those of Hangul, of flags and of joined emoji are longer. */
static const char *cluster_end(const struct pass *pass)
{
    const char *at = pass->at, *next = at;
    unsigned before = 0;
    while (next < pass->end) {
        uint32_t c = utf8_next(&next, pass->end);
        unsigned cluster = ucd_properties(c) & UCD_CLUSTER;
        int joins = (cluster == UCD_EXTENDS && before != UCD_BREAKS) ||
                    (cluster != UCD_BREAKS && before == UCD_PREPENDS) ||
                    (c == '\n' && at > pass->at && at[-1] == '\r');
        if (at > pass->at && !joins) break;
        before = cluster;
        at = next;
    }
    return at;
}

/* A cluster first, as SentencePiece's port does (of less than 6 bytes), then each of its
 * characters. */
static int apply_charsmap(struct pass *pass)
{
    const struct normalizer *step = pass->step;
    int rc = 0;
    while (goes_on(pass, &rc)) {
        const char *end = cluster_end(pass), *mapped = NULL;
        size_t size = (size_t)(end - pass->at);
        if (size < 6) mapped = charsmap_find(step, (struct span){pass->at, size});
        if (mapped != NULL) {
            rc = put_text(pass, mapped, strlen(mapped));
            pass->at = end;
        }
        while (pass->at < end && goes_on(pass, &rc)) {
            const char *one = pass->at;
            utf8_next(&pass->at, end);
            struct span part = {one, (size_t)(pass->at - one)};
            mapped = charsmap_find(step, part);
            rc = mapped != NULL ? put_text(pass, mapped, strlen(mapped))
                                : put_text(pass, part.data, part.size);
        }
    }
    return rc;
}

static int apply_strip(struct pass *pass)
{
    const char *first = pass->at, *last = first;
    int is_begun = !pass->step->left, rc = 0;
    while (goes_on(pass, &rc)) {
        const char *start = pass->at;
        if (ucd_properties(utf8_next(&pass->at, pass->end)) & UCD_SPACE) continue;
        if (!is_begun) first = start;
        is_begun = 1;
        last = pass->at;
    }
    if (!is_begun) first = last = pass->end;
    if (!pass->step->right) last = pass->end;
    return rc == 0 ? put_text(pass, first, (size_t)(last - first)) : rc;
}

static int apply_prepend(struct pass *pass)
{
    const char *from = pass->step->from;
    int rc = pass->at == pass->end ? 0 : put_text(pass, from, strlen(from));
    return rc == 0 ? put_text(pass, pass->at, (size_t)(pass->end - pass->at)) : rc;
}

static int (*const appliers[])(struct pass *pass) = {
    [NORMALIZER_BERT] = apply_bert,
    [NORMALIZER_LOWERCASE] = apply_characters,
    [NORMALIZER_STRIP_ACCENTS] = apply_characters,
    [NORMALIZER_NFC] = apply_form,
    [NORMALIZER_NFD] = apply_form,
    [NORMALIZER_NFKC] = apply_form,
    [NORMALIZER_NFKD] = apply_form,
    [NORMALIZER_STRIP] = apply_strip,
    [NORMALIZER_PREPEND] = apply_prepend,
    [NORMALIZER_REPLACE] = apply_replace,
    [NORMALIZER_REPLACE_RUNS] = apply_replace_runs,
    [NORMALIZER_CHARSMAP] = apply_charsmap,
};

int normalizers_apply(const struct normalizers *normalizers, struct span text,
                      const struct cancel *cancel, struct buffer *out, struct buffer *spare,
                      struct error *err)
{
    int rc = 0;
    buffer_clear(out);
    if (normalizers->n == 0) return buffer_append(out, text.data, text.size, err);
    for (size_t i = 0; rc == 0 && i < normalizers->n; i++) {
        if (i > 0) { /* what came out goes in */
            struct buffer swapped = *out;
            *out = *spare;
            *spare = swapped;
            buffer_clear(out);
            text = (struct span){spare->data, spare->size};
        }
        if (text.size == 0) break;
        struct pass pass = {.step = &normalizers->steps[i],
                            .at = text.data,
                            .end = text.data + text.size,
                            .out = out,
                            .cancel = cancel,
                            .look = text.data,
                            .err = err};
        rc = appliers[pass.step->kind](&pass);
    }
    return rc;
}
