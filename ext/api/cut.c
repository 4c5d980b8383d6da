#include "api/cut.h"

#include "base/memory.h"
#include "text/unicode/classes.h"
#include "text/utf8.h"

enum kind { BLANK, LETTER, DIGIT, DENSE, SIGN };

#define LETTER_BYTES 4 /* of a token, the blank before a word included */
#define DIGITS 2

static enum kind kind_of(uint32_t c)
{
    if (unicode_is_blank(c)) return BLANK;
    if (c >= '0' && c <= '9') return DIGIT;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return LETTER;
    if (unicode_is_dense(c)) return DENSE;
    return c < 0x80 || c > 0xFFFF ? SIGN : LETTER;
}

/* The word, number, sign or blank that begins at `at`, no more than `most` tokens of it: where it
 * ends, and its tokens. */
static const char *next_piece(const char *at, const char *end, size_t most, size_t *tokens)
{
    const char *start = at, *next = at;
    enum kind kind = kind_of(utf8_next(&next, end));
    at = next;
    *tokens = kind != BLANK;
    if (kind == DENSE || kind == SIGN) return at;
    size_t unit = kind == DIGIT ? DIGITS : LETTER_BYTES, extra = kind == LETTER;
    while (at < end && kind_of(utf8_next(&next, end)) == kind) {
        size_t n = kind == BLANK ? 0 : ((size_t)(next - start) + extra + unit - 1) / unit;
        if (n > most) break;
        *tokens = n;
        at = next;
    }
    return at;
}

static struct span cut(struct span text, size_t max_tokens, size_t *n_tokens)
{
    const char *at = text.data, *end = text.data + text.size;
    *n_tokens = 0;
    while (at < end) {
        size_t left = max_tokens - *n_tokens, tokens;
        const char *behind = next_piece(at, end, SIZE_MAX, &tokens);
        /* One word alone that is too long is cut, too. */
        if (tokens > left && *n_tokens == 0) behind = next_piece(at, end, left, &tokens);
        else if (tokens > left) break;
        *n_tokens += tokens;
        at = behind;
    }
    return (struct span){text.data, (size_t)(at - text.data)};
}

size_t api_count_tokens(struct span text)
{
    size_t n;
    cut(text, SIZE_MAX, &n);
    return n;
}

struct span api_cut(struct span text, size_t max_tokens)
{
    size_t n;
    return cut(text, max_tokens, &n);
}

int api_cut_all(const struct span *texts, size_t n, size_t kept, size_t max_tokens,
                struct span **all, uint64_t *n_cut, struct error *err)
{
    *all = memory_alloc(n, sizeof **all);
    if (*all == NULL) return error_nomem(err);
    for (size_t i = 0; i < n; i++) {
        struct span text = {texts[i].data + kept, texts[i].size - kept};
        (*all)[i] = (struct span){texts[i].data, kept + api_cut(text, max_tokens).size};
        *n_cut += (*all)[i].size < texts[i].size;
    }
    return 0;
}
