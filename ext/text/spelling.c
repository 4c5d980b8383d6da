#include "text/spelling.h"

#include "text/normalizer.h"
#include "text/unicode/classes.h"
#include "text/unicode/ucd.h"
#include "text/utf8.h"

/* Bytes between two looks at the cancel token. */
#define POLL_BYTES ((size_t)1 << 16)

static int is_plain(uint32_t c)
{
    uint32_t parts[UCD_MAX_DECOMPOSED];
    if (unicode_is_surely_plain(c)) return 1;
    if (ucd_properties(c) & UCD_MARK || unicode_is_hidden(c) || unicode_is_jamo(c)) return 0;
    return unicode_plain_letter(c) == c && ucd_decompose(c, 1, parts) == 1 && parts[0] == c;
}

static int put(uint32_t c, struct buffer *out, struct error *err)
{
    char bytes[4];
    return buffer_append(out, bytes, utf8_put(c, bytes), err);
}

/* A stretch in NFKC, spelled. */
static int put_stretch(struct span stretch, struct buffer *out, struct error *err)
{
    const char *at = stretch.data, *end = at + stretch.size;
    uint32_t before = 0;
    int rc = 0;
    while (rc == 0 && at < end) {
        uint32_t c = utf8_next(&at, end);
        if (c == 0x200C && unicode_is_arabic(before)) c = '_';
        if (unicode_is_hidden(c)) continue;
        c = unicode_plain_letter(c);
        rc = put(c, out, err);
        before = c;
    }
    return rc;
}

/* Moves *at past what is not plain; the character before it, if there is one, was put last. */
static int put_changed(const char *before, const char **at, const char *end,
                       const struct cancel *cancel, struct buffer *out, struct buffer *spare,
                       struct error *err)
{
    static const struct normalizers nfkc = {.steps = {{.kind = NORMALIZER_NFKC}}, .n = 1};
    struct buffer unused;
    const char *next = *at;
    out->size -= (size_t)(*at - before);
    while (next < end && !is_plain(utf8_next(&next, end))) *at = next;
    buffer_init(&unused, 0);
    struct span stretch = {before, (size_t)(*at - before)};
    int rc = normalizers_apply(&nfkc, stretch, cancel, spare, &unused, err);
    return rc == 0 ? put_stretch((struct span){spare->data, spare->size}, out, err) : rc;
}

/* Moves *at past the plain characters that come first; *last is where the last of them begins. */
static int skip_plain(const char **at, const char *end, const char **last,
                      const struct cancel *cancel, struct error *err)
{
    const char *look = *at;
    while (*at < end) {
        const char *next = *at;
        if ((unsigned char)*next < 0x80) {
            *last = (*at)++;
        } else {
            if (!is_plain(utf8_next(&next, end))) return 0;
            *last = *at;
            *at = next;
        }
        if ((size_t)(*at - look) < POLL_BYTES) continue;
        look = *at;
        int rc = cancel_check(cancel, err);
        if (rc != 0) return rc;
    }
    return 0;
}

int spelling_apply(struct span text, const struct cancel *cancel, struct buffer *out,
                   struct buffer *spare, struct span *spelled, struct error *err)
{
    const char *at = text.data, *end = text.data + text.size;
    int rc = 0;
    buffer_clear(out);
    while (rc == 0 && at < end) {
        const char *start = at, *last = at;
        rc = skip_plain(&at, end, &last, cancel, err);
        if (rc != 0) return rc;
        if (start == text.data && at == end) {
            *spelled = text;
            return 0;
        }
        if (at > start) rc = buffer_append(out, start, (size_t)(at - start), err);
        if (rc == 0 && at < end) rc = put_changed(last, &at, end, cancel, out, spare, err);
    }
    *spelled = (struct span){out->data, out->size};
    return rc;
}
