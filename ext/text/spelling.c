#include "text/spelling.h"

#include "text/normalizer.h"
#include "text/unicode/classes.h"
#include "text/unicode/ucd.h"
#include "text/utf8.h"

/* Bytes between two looks at the cancel token. */
#define POLL_BYTES ((size_t)1 << 16)

/* Frequent characters that stay as they are, whatever stands beside them. Of Latin, Greek and
 * Cyrillic what NFKC changes is changed by text/fold.h in the same way. */
static int is_known_plain(uint32_t c)
{
    if (c < 0xA8) return 1;
    if (c < 0x590)
        return (c >= 0xC0 && c < 0x2B0) || (c >= 0x3A3 && c < 0x483) || (c >= 0x48A && c < 0x530) ||
               (c >= 0x561 && c < 0x587) || (c >= 0x386 && c < 0x3A3 && c != 0x387);
    if (c < 0x2012)
        return (c >= 0x5D0 && c < 0x5EB) || (c >= 0x62A && c < 0x63B) ||
               (c >= 0x641 && c < 0x649) || (c >= 0x904 && c < 0x929) ||
               (c >= 0x92A && c < 0x931) || (c >= 0x935 && c < 0x93A) ||
               (c >= 0xE01 && c < 0xE2F) || (c >= 0x1E00 && c < 0x1F00);
    return c < 0x2028 || c == 0x2120 || c == 0x2122 || (c >= 0x3041 && c < 0x3097) ||
           (c >= 0x30A1 && c < 0x30FB) || (c >= 0x3400 && c < 0xA000) ||
           (c >= 0xAC00 && c < 0xD7A4) || (c >= 0x1F300 && c < 0x1F900);
}

static int is_plain(uint32_t c)
{
    uint32_t parts[UCD_MAX_DECOMPOSED];
    if (is_known_plain(c)) return 1;
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
