#include "text/normalizer.h"

#include <string.h>

#include "base/base64.h"
#include "base/memory.h"
#include "text/ucd.h"
#include "text/utf8.h"

/* ---- reading --------------------------------------------------------------------------------- */

static void read_bert(struct normalizer *step, const cJSON *json, const char *lowercase,
                      const char *chinese)
{
    step->kind = NORMALIZER_BERT;
    step->clean_text = json_flag(json, "clean_text", 1);
    step->chinese = json_flag(json, chinese, 1);
    step->lowercase = json_flag(json, lowercase, 1);
    step->strip_accents = json_flag(json, "strip_accents", step->lowercase);
}

void normalizers_bert(struct normalizers *normalizers, const cJSON *config)
{
    *normalizers = (struct normalizers){.n = 1};
    read_bert(&normalizers->steps[0], config, "do_lower_case", "tokenize_chinese_chars");
}

static int copy_text(const char *text, char **out, struct error *err)
{
    *out = memory_copy(text, strlen(text));
    return *out == NULL ? error_nomem(err) : 0;
}

/* Of patterns the kinds that models have: a text, or a run of spaces: " {2,}", "\s+", " +". */
static int read_replace(struct normalizer *step, const cJSON *json, struct error *err)
{
    const cJSON *text = json_at(json, "/pattern/String"), *regex = json_at(json, "/pattern/Regex");
    const cJSON *content = json_at(json, "/content");
    const char *from = NULL;
    step->kind = NORMALIZER_REPLACE;
    if (cJSON_IsString(text)) {
        from = text->valuestring;
    } else if (cJSON_IsString(regex)) {
        const char *pattern = regex->valuestring;
        if (strcmp(pattern, " {2,}") == 0) step->at_least = 2;
        else if (strcmp(pattern, " +") == 0) step->at_least = 1;
        else
            return error_set(err, ERROR_INVALID,
                             "normalizer: the pattern '%.60s' is not known here", pattern);
        from = " ";
    }
    if (from == NULL || from[0] == '\0' || !cJSON_IsString(content))
        return error_set(err, ERROR_INVALID, "normalizer: Replace has no pattern or no content");
    int rc = copy_text(from, &step->from, err);
    return rc == 0 ? copy_text(content->valuestring, &step->to, err) : rc;
}

/* The bytes: a uint32 with the size of the double array, its units, the texts. */
static int read_charsmap(struct normalizer *step, const cJSON *json, struct error *err)
{
    const char *text = json_text_at(json, "/precompiled_charsmap");
    struct span base64 = {text, text == NULL ? 0 : strlen(text)};
    size_t n = base64_size(base64);
    step->kind = NORMALIZER_CHARSMAP;
    unsigned char *bytes = memory_zalloc(n + sizeof(uint32_t), 1); /* and a NUL at the end */
    if (bytes == NULL) return error_nomem(err);
    step->units = (uint32_t *)(void *)bytes;
    int is_good = base64_decode(base64, bytes, NULL) == 0 && n >= 8;
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
    struct normalizer *step = &normalizers->steps[normalizers->n++];
    if (strcmp(type, "Replace") == 0) return read_replace(step, json, err);
    if (strcmp(type, "Precompiled") == 0) return read_charsmap(step, json, err);
    if (strcmp(type, "BertNormalizer") == 0) {
        read_bert(step, json, "lowercase", "handle_chinese_chars");
    } else if (strcmp(type, "Lowercase") == 0) {
        step->kind = NORMALIZER_LOWERCASE;
    } else if (strcmp(type, "StripAccents") == 0) {
        step->kind = NORMALIZER_STRIP_ACCENTS;
    } else if (strcmp(type, "NFC") == 0 || strcmp(type, "NFD") == 0 || strcmp(type, "NFKC") == 0 ||
               strcmp(type, "NFKD") == 0) {
        step->kind = NORMALIZER_FORM;
        step->compatible = type[2] == 'K';
        step->compose = type[strlen(type) - 1] == 'C';
    } else if (strcmp(type, "Strip") == 0) {
        step->kind = NORMALIZER_STRIP;
        step->left = json_flag(json, "strip_left", 1);
        step->right = json_flag(json, "strip_right", 1);
    } else if (strcmp(type, "Prepend") == 0 && json_text_at(json, "/prepend") != NULL) {
        step->kind = NORMALIZER_PREPEND;
        return copy_text(json_text_at(json, "/prepend"), &step->from, err);
    } else {
        return error_set(err, ERROR_INVALID, "normalizer: %.60s is not known here", type);
    }
    return 0;
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

static int put(struct buffer *out, uint32_t character, struct error *err)
{
    if (out->capacity - out->size < 4 || out->data == NULL) {
        int rc = buffer_reserve(out, out->size / 2 + 64, err);
        if (rc != 0) return rc;
    }
    out->size += utf8_put(character, out->data + out->size);
    return 0;
}

/* What one character becomes, without accents and in lower case as asked for. */
static int put_folded(const struct normalizer *step, uint32_t character, struct buffer *out,
                      struct error *err)
{
    uint32_t parts[UCD_MAX_DECOMPOSED] = {character}, lower[2];
    size_t n = step->strip_accents ? ucd_decompose(character, parts) : 1;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (step->strip_accents && ucd_properties(parts[i]) & UCD_NONSPACING) continue;
        size_t n_lower = 1;
        lower[0] = parts[i];
        if (step->lowercase) n_lower = ucd_lower_of(parts[i], lower);
        for (size_t j = 0; rc == 0 && j < n_lower; j++) rc = put(out, lower[j], err);
    }
    return rc;
}

static int apply_bert(const struct normalizer *step, struct span text, struct buffer *out,
                      struct error *err)
{
    const char *at = text.data, *end = text.data + text.size;
    int rc = buffer_reserve(out, text.size + 8, err);
    while (rc == 0 && at < end) {
        unsigned char byte = (unsigned char)*at;
        if (byte >= ' ' && byte < 0x7F) { /* the usual case: each is one byte */
            int is_upper = step->lowercase && byte >= 'A' && byte <= 'Z';
            if (out->capacity - out->size < 8) rc = buffer_reserve(out, text.size / 2 + 64, err);
            if (rc != 0) break;
            out->data[out->size++] = (char)(is_upper ? byte + 32 : byte);
            at++;
            continue;
        }
        uint32_t c = utf8_next(&at, end);
        unsigned properties = ucd_properties(c);
        if (step->clean_text) {
            int is_blank = c == '\t' || c == '\n' || c == '\r' || properties & UCD_SPACE;
            if (c == 0 || c == 0xFFFD ||
                (properties & UCD_CONTROL && c != '\t' && c != '\n' && c != '\r'))
                continue;
            if (is_blank) c = ' ';
        }
        int is_chinese = step->chinese && ucd_is_chinese(c);
        if (is_chinese) rc = put(out, ' ', err);
        if (rc == 0) rc = put_folded(step, c, out, err);
        if (rc == 0 && is_chinese) rc = put(out, ' ', err);
    }
    return rc;
}

static int apply_characters(const struct normalizer *step, struct span text, struct buffer *out,
                            struct error *err)
{
    const char *at = text.data, *end = text.data + text.size;
    int rc = 0;
    while (rc == 0 && at < end) {
        uint32_t c = utf8_next(&at, end), parts[UCD_MAX_DECOMPOSED] = {c};
        size_t n = 1;
        if (step->kind == NORMALIZER_LOWERCASE) n = ucd_lower_of(c, parts);
        else if (ucd_properties(c) & UCD_NONSPACING) n = 0;
        for (size_t i = 0; rc == 0 && i < n; i++) rc = put(out, parts[i], err);
    }
    return rc;
}

#define STRETCH                                                                                    \
    256 /* characters that are normalised together, and some more until one stands alone */

/* Whether a stretch may end before this character: an ASCII character joins none before it. */
static int is_boundary(const char *at)
{
    return ((unsigned char)*at & 0x80) == 0;
}

static int apply_form(const struct normalizer *step, struct span text, struct buffer *out,
                      struct error *err)
{
    const char *at = text.data, *end = text.data + text.size;
    size_t capacity = 0;
    uint32_t *characters = NULL;
    int rc = 0;
    while (rc == 0 && at < end) {
        const char *stop = at;
        size_t n = 0;
        while (stop < end && (n < STRETCH || !is_boundary(stop))) {
            utf8_next(&stop, end);
            n++;
        }
        if (n > capacity) {
            memory_free(characters);
            characters = memory_alloc(n, 2 * UCD_MAX_COMPATIBLE * sizeof *characters);
            if (characters == NULL) return error_nomem(err);
            capacity = n;
        }
        for (n = 0; at < stop; n++) characters[n] = utf8_next(&at, stop);
        n = ucd_normalize(characters, n, characters + capacity * UCD_MAX_COMPATIBLE,
                          step->compatible, step->compose);
        for (size_t i = 0; rc == 0 && i < n; i++) rc = put(out, characters[i], err);
    }
    memory_free(characters);
    return rc;
}

static int apply_replace(const struct normalizer *step, struct span text, struct buffer *out,
                         struct error *err)
{
    size_t size = strlen(step->from), to = strlen(step->to), i = 0;
    int rc = 0;
    while (rc == 0 && i < text.size) {
        size_t n = 0;
        while (i + (n + 1) * size <= text.size &&
               memcmp(text.data + i + n * size, step->from, size) == 0) {
            n++;
            if (step->at_least == 0) break;
        }
        if (n > 0 && n >= step->at_least) {
            rc = buffer_append(out, step->to, to, err);
            i += n * size;
        } else {
            rc = buffer_append(out, text.data + i, n > 0 ? n * size : 1, err);
            i += n > 0 ? n * size : 1;
        }
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

/* A character and what goes with it first, as SentencePiece's port does (of less than 6 bytes), then
 * each character alone. */
static int apply_charsmap(const struct normalizer *step, struct span text, struct buffer *out,
                          struct error *err)
{
    const char *at = text.data, *end = text.data + text.size;
    int rc = 0;
    while (rc == 0 && at < end) {
        const char *start = at, *next, *mapped = NULL;
        uint32_t c = utf8_next(&at, end);
        next = at;
        if (c == '\r' && at < end && *at == '\n') next = ++at;
        for (; at < end; next = at)
            if (!(ucd_properties(utf8_next(&at, end)) & UCD_EXTENDS)) break;
        at = next;
        if (next - start < 6)
            mapped = charsmap_find(step, (struct span){start, (size_t)(next - start)});
        if (mapped != NULL) {
            rc = buffer_append(out, mapped, strlen(mapped), err);
            continue;
        }
        for (const char *one = start; rc == 0 && one < next;) {
            const char *from = one;
            utf8_next(&one, next);
            struct span part = {from, (size_t)(one - from)};
            mapped = charsmap_find(step, part);
            rc = mapped != NULL ? buffer_append(out, mapped, strlen(mapped), err)
                                : buffer_append(out, part.data, part.size, err);
        }
    }
    return rc;
}

static int apply_strip(const struct normalizer *step, struct span text, struct buffer *out,
                       struct error *err)
{
    const char *at = text.data, *end = text.data + text.size, *first = at, *last = at;
    int is_begun = !step->left;
    while (at < end) {
        const char *start = at;
        if (ucd_properties(utf8_next(&at, end)) & UCD_SPACE) continue;
        if (!is_begun) first = start;
        is_begun = 1;
        last = at;
    }
    if (!is_begun) first = last = end;
    if (!step->right) last = end;
    return buffer_append(out, first, (size_t)(last - first), err);
}

static int apply_step(const struct normalizer *step, struct span text, struct buffer *out,
                      struct error *err)
{
    if (step->kind == NORMALIZER_BERT) return apply_bert(step, text, out, err);
    if (step->kind == NORMALIZER_REPLACE) return apply_replace(step, text, out, err);
    if (step->kind == NORMALIZER_CHARSMAP) return apply_charsmap(step, text, out, err);
    if (step->kind == NORMALIZER_FORM) return apply_form(step, text, out, err);
    if (step->kind == NORMALIZER_STRIP) return apply_strip(step, text, out, err);
    if (step->kind != NORMALIZER_PREPEND) return apply_characters(step, text, out, err);
    int rc = text.size == 0 ? 0 : buffer_append(out, step->from, strlen(step->from), err);
    return rc == 0 ? buffer_append(out, text.data, text.size, err) : rc;
}

int normalizers_apply(const struct normalizers *normalizers, struct span text, struct buffer *out,
                      struct buffer *spare, struct error *err)
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
        rc = apply_step(&normalizers->steps[i], text, out, err);
    }
    return rc;
}
