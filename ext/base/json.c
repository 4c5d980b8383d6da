#include "base/json.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/hash.h"

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Says where it breaks; a page of HTML, from a proxy or a login, is told by its first character. */
static int not_json(struct span text, const char *end, struct error *err)
{
    size_t at = end == NULL ? 0 : (size_t)(end - text.data);
    size_t first = 0;
    while (first < text.size && is_space(text.data[first])) first++;
    if (first == text.size)
        return error_set(err, ERROR_INVALID, "expected JSON, not an empty text");
    if (text.data[first] == '<') return error_set(err, ERROR_INVALID, "expected JSON, not HTML");
    if (at + 1 >= text.size)
        return error_set(err, ERROR_INVALID, "the JSON breaks off after %zu bytes", text.size);
    return error_set(err, ERROR_INVALID, "not JSON at byte %zu", at);
}

int json_parse(struct span text, cJSON **root, struct error *err)
{
    const char *end = NULL;
    *root = text.size == 0 ? NULL : cJSON_ParseWithLengthOpts(text.data, text.size, &end, 0);
    if (*root == NULL) return not_json(text, end, err);
    while (end < text.data + text.size && is_space(*end)) end++;
    if (end == text.data + text.size) return 0;
    cJSON_Delete(*root);
    *root = NULL;
    return error_set(err, ERROR_INVALID, "more text after the JSON at byte %zu",
                     (size_t)(end - text.data));
}

/* The member, or element, that the first `size` bytes of `name` tell. */
static const cJSON *child(const cJSON *parent, const char *name, size_t size)
{
    if (cJSON_IsArray(parent))
        return size == 1 && name[0] == '0' ? cJSON_GetArrayItem(parent, 0) : NULL;
    if (!cJSON_IsObject(parent)) return NULL;
    const cJSON *item;
    cJSON_ArrayForEach(item, parent)
    {
        if (strlen(item->string) == size && memcmp(item->string, name, size) == 0) return item;
    }
    return NULL;
}

const cJSON *json_at(const cJSON *root, const char *pointer)
{
    while (root != NULL && *pointer == '/') {
        size_t size = strcspn(++pointer, "/");
        root = child(root, pointer, size);
        pointer += size;
    }
    return root;
}

const char *json_text_at(const cJSON *root, const char *pointer)
{
    const cJSON *item = json_at(root, pointer);
    return cJSON_IsString(item) && item->valuestring[0] != '\0' ? item->valuestring : NULL;
}

int json_flag(const cJSON *object, const char *name, int usual)
{
    const cJSON *item =
        cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;
    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : usual;
}

int json_float(const cJSON *item, float *value)
{
    if (!cJSON_IsNumber(item) || !(fabs(item->valuedouble) <= (double)FLT_MAX)) return 0;
    *value = (float)item->valuedouble;
    return 1;
}

uint64_t json_hash(const cJSON *item, uint64_t seed)
{
    const cJSON *below;
    if (item == NULL || cJSON_IsNull(item)) return hash_bytes("", 0, seed);
    const uint64_t kind = (uint64_t)item->type & 0xFF;
    uint64_t hash = hash_bytes(&kind, sizeof kind, seed), n = 0, members = 0;
    if (cJSON_IsString(item)) hash = hash_bytes(item->valuestring, strlen(item->valuestring), hash);
    if (cJSON_IsNumber(item)) hash = hash_bytes(&item->valuedouble, sizeof(double), hash);
    cJSON_ArrayForEach(below, item)
    {
        const char *name = below->string;
        if (name != NULL && cJSON_IsNull(below)) continue;
        if (name == NULL) hash = json_hash(below, hash);
        else members += json_hash(below, hash_bytes(name, strlen(name), 0));
        n++;
    }
    const uint64_t all[] = {members, n};
    return hash_bytes(all, sizeof all, hash);
}

int json_double(const cJSON *item, double *value)
{
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble)) return 0;
    *value = item->valuedouble;
    return 1;
}

const char *json_kind(const cJSON *item)
{
    if (item == NULL) return "nothing";
    if (cJSON_IsNull(item)) return "null";
    if (cJSON_IsBool(item)) return "true or false";
    if (cJSON_IsNumber(item)) return "a number";
    if (cJSON_IsString(item)) return "a text";
    return cJSON_IsArray(item) ? "an array" : "an object";
}
