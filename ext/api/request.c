#include "api/request.h"

#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "text/unicode/classes.h"
#include "text/utf8.h"

/* Appending to a body: the first error stays, and nothing is written after it. */
struct writer {
    struct buffer *body;
    struct error *err;
    int rc;
};

static void put(struct writer *writer, const char *data, size_t size)
{
    if (writer->rc == 0) writer->rc = buffer_append(writer->body, data, size, writer->err);
}

static void put_text(struct writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

/* A character that may not stand in a JSON string as it is. */
static void put_escaped(struct writer *writer, unsigned char c)
{
    static const char short_forms[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    static const char hex[] = "0123456789abcdef";
    const char *known = c == '\0' ? NULL : strchr(short_forms, c);
    if (known != NULL) {
        put(writer, (char[]){'\\', letters[known - short_forms]}, 2);
    } else {
        put(writer, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
    }
}

static void put_string(struct writer *writer, struct span text)
{
    size_t done = 0;
    put_text(writer, "\"");
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        put(writer, text.data + done, i - done);
        put_escaped(writer, c);
        done = i + 1;
    }
    if (text.size > done) put(writer, text.data + done, text.size - done);
    put_text(writer, "\"");
}

int api_json_string(struct span text, struct buffer *body, struct error *err)
{
    struct writer writer = {body, err, 0};
    put_string(&writer, text);
    return writer.rc;
}

/* The comma before every member but the first, the name, the colon. */
static void put_name(struct writer *writer, const char *name)
{
    if (writer->rc != 0) return;
    if (writer->body->data[writer->body->size - 1] != '{') put_text(writer, ",");
    put_string(writer, (struct span){name, strlen(name)});
    put_text(writer, ":");
}

static void put_string_member(struct writer *writer, const char *name, struct span value)
{
    put_name(writer, name);
    put_string(writer, value);
}

static void put_number_member(struct writer *writer, const char *name, size_t value)
{
    put_name(writer, name);
    if (writer->rc == 0) writer->rc = buffer_format(writer->body, writer->err, "%zu", value);
}

static void put_constant(struct writer *writer, const struct api_constant *constant)
{
    if (constant->field == NULL) return;
    put_name(writer, constant->field);
    put_text(writer, constant->value);
}

/* A JSON object as it came (numbers keep their digits), without the space between its tokens;
 * cJSON lets bare control characters in strings through, the provider would not. */
static void put_object(struct writer *writer, struct span object)
{
    cJSON *root = NULL;
    int in_string = 0;
    size_t escaped = 0; /* after a backslash */
    if (writer->rc == 0) writer->rc = json_parse(object, &root, writer->err);
    if (writer->rc == 0 && !cJSON_IsObject(root))
        writer->rc = error_set(writer->err, ERROR_INVALID, "expected a JSON object, not %s",
                               json_kind(root));
    cJSON_Delete(root);
    for (size_t i = 0; i < object.size && writer->rc == 0; i++) {
        unsigned char c = (unsigned char)object.data[i];
        if (!in_string && c <= 0x20) continue;
        if (c == '"' && !escaped) in_string = !in_string;
        escaped = c == '\\' && !escaped;
        if (c < 0x20) {
            put_escaped(writer, c);
        } else {
            put(writer, object.data + i, 1);
        }
    }
}

static void put_list(struct writer *writer, const char *name, const struct span *texts, size_t n,
                     int objects)
{
    put_name(writer, name);
    for (size_t i = 0; i < n && writer->rc == 0; i++) {
        put_text(writer, i == 0 ? "[" : ",");
        if (objects) put_object(writer, texts[i]);
        else put_string(writer, texts[i]);
        if (writer->rc == ERROR_INVALID && objects) error_context(writer->err, "document %zu", i);
    }
    put_text(writer, "]");
}

/* "title, text" becomes ["title","text"]; empty names are left out. */
static void put_rank_fields(struct writer *writer, struct span names)
{
    size_t n = 0;
    for (size_t i = 0; i < names.size; i++) {
        size_t end = i;
        while (end < names.size && names.data[end] != ',') end++;
        struct span name = {names.data + i, end - i};
        i = end;
        while (name.size > 0 && name.data[0] == ' ') name.data++, name.size--;
        while (name.size > 0 && name.data[name.size - 1] == ' ') name.size--;
        if (name.size == 0) continue;
        if (n == 0) put_name(writer, "rank_fields");
        put_text(writer, n++ == 0 ? "[" : ",");
        put_string(writer, name);
    }
    if (n > 0) put_text(writer, "]");
}

static void put_model(struct writer *writer, const struct api_provider *provider, const char *model)
{
    put_text(writer, "{");
    if (provider->sends_model)
        put_string_member(writer, "model", (struct span){model, strlen(model)});
}

int api_embed_body(const struct api_embed_request *request, struct buffer *body, struct error *err)
{
    const struct api_provider *provider = request->provider;
    const struct api_embed_form *form = &provider->embed;
    struct writer writer = {body, err, 0};
    if (form->path == NULL)
        return error_set(err, ERROR_INVALID, "%s does not embed", provider->name);
    if (request->dimensions != 0 && form->dimensions == NULL)
        return error_set(err, ERROR_INVALID, "%s has no choice of dimensions", provider->name);

    put_model(&writer, provider, request->model);
    put_list(&writer, form->input, request->texts, request->n_texts, 0);
    if (request->dimensions != 0) put_number_member(&writer, form->dimensions, request->dimensions);
    put_constant(&writer, &form->encoding);
    if (form->role.field != NULL) {
        const char *role = request->role == MODEL_QUERY ? form->role.query : form->role.document;
        put_string_member(&writer, form->role.field, (struct span){role, strlen(role)});
    }
    put_constant(&writer, &form->truncation);
    put_constant(&writer, &form->unit_length);
    put_text(&writer, "}");
    return writer.rc;
}

int api_rerank_body(const struct api_rerank_request *request, struct buffer *body,
                    struct error *err)
{
    const struct api_provider *provider = request->provider;
    const struct api_rerank_form *form = &provider->rerank;
    struct writer writer = {body, err, 0};
    if (form->path == NULL)
        return error_set(err, ERROR_INVALID, "%s does not rerank", provider->name);
    if (request->objects && !api_provider_takes_objects(provider, request->model))
        return error_set(err, ERROR_INVALID, "%s takes texts as documents, not objects",
                         provider->name);

    put_model(&writer, provider, request->model);
    put_string_member(&writer, "query", request->query);
    put_list(&writer, form->documents, request->documents, request->n_documents, request->objects);
    if (request->objects) put_rank_fields(&writer, request->rank_fields);
    if (request->top_n != 0 && form->limit != NULL) {
        size_t n = request->n_documents;
        put_number_member(&writer, form->limit, request->top_n < n ? request->top_n : n);
    }
    put_constant(&writer, &form->no_echo);
    put_constant(&writer, &form->truncation);
    put_text(&writer, "}");
    return writer.rc;
}

int api_url(const char *base_url, const char *path, char **url, struct error *err)
{
    size_t size = strlen(base_url);
    *url = NULL;
    if (path == NULL) return 0;
    while (size > 0 && base_url[size - 1] == '/') size--;
    while (*path == '/') path++;
    size_t path_size = strlen(path) + 1;
    *url = memory_alloc(size + 1 + path_size, 1);
    if (*url == NULL) return error_nomem(err);
    memcpy(*url, base_url, size);
    (*url)[size] = '/';
    memcpy(*url + size + 1, path, path_size);
    return 0;
}

size_t api_estimate_tokens(struct span text)
{
    size_t tokens = 0, bytes = 0;
    if (text.size == 0) return 1;
    for (const char *at = text.data, *end = text.data + text.size; at < end;) {
        const char *start = at;
        if (unicode_is_dense(utf8_next(&at, end))) tokens++;
        else bytes += (size_t)(at - start);
    }
    return tokens + (bytes + 3) / 4;
}
