#include "text/compound.h"

#include <string.h>

#include "text/unicode/classes.h"
#include "text/utf8.h"

/* Bytes of a part of which n-grams tell nothing. */
#define SHORT_PART 2

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_letter(char c)
{
    return (unsigned char)((c | 0x20) - 'a') < 26;
}

static int begins_word(const char *at, const char *end)
{
    if (at == end) return 0;
    if ((unsigned char)*at < 0x80) return is_letter(*at) || is_digit(*at);
    return unicode_word_kind_of(utf8_next(&at, end)) == UNICODE_LETTER;
}

/* Three digits and no more. */
static int are_thousands(const char *at, const char *end)
{
    return end - at >= 3 && is_digit(at[0]) && is_digit(at[1]) && is_digit(at[2]) &&
           (end - at == 3 || !(is_digit(at[3]) || is_letter(at[3])));
}

enum compound_joint compound_joint_at(const char *at, const char *end)
{
    if (memchr("-_.&/:,", *at, 7) == NULL) return COMPOUND_NONE;
    if (!begins_word(at + 1, end)) return COMPOUND_NONE;
    if (is_digit(at[-1]) && is_digit(at[1]) && *at != '&') {
        if (*at != ',') return COMPOUND_NUMBERS;
        return are_thousands(at + 1, end) ? COMPOUND_THOUSANDS : COMPOUND_NONE;
    }
    if (*at == '-') return COMPOUND_HYPHEN;
    return memchr("_.&", *at, 3) == NULL ? COMPOUND_NONE : COMPOUND_LETTERS;
}

static void clear(struct compound *compound)
{
    compound->whole_size = compound->number_size = 0;
    compound->n_parts = compound->n_letter_joints = compound->n_hyphens = 0;
    compound->joint = COMPOUND_NONE;
}

/* Appends; what does not fit stays beyond the end for good. */
static void append(char *out, size_t *size, const char *data, size_t n)
{
    if (*size + n <= COMPOUND_MAX_BYTES) memcpy(out + *size, data, n);
    *size += n;
}

static void add_number(struct compound *compound, struct span part)
{
    int is_version = part.size > 1 && part.data[0] == 'v' && is_digit(part.data[1]);
    if (compound->joint != COMPOUND_NUMBERS && compound->joint != COMPOUND_THOUSANDS) {
        compound->number_size = 0;
        part.data += is_version;
        part.size -= (size_t)is_version;
    }
    append(compound->number, &compound->number_size, ".", compound->joint == COMPOUND_NUMBERS);
    append(compound->number, &compound->number_size, part.data, part.size);
}

void compound_add(struct compound *compound, struct span part, enum compound_joint joint,
                  struct span *number, struct span *whole)
{
    int is_number = compound->joint == COMPOUND_NUMBERS || compound->joint == COMPOUND_THOUSANDS;
    *number = *whole = (struct span){compound->number, 0};
    if (compound->n_parts == 0 && joint == COMPOUND_NONE) return;
    append(compound->whole, &compound->whole_size, ".", compound->joint == COMPOUND_NUMBERS);
    append(compound->whole, &compound->whole_size, part.data, part.size);
    add_number(compound, part);
    compound->n_letter_joints += compound->joint == COMPOUND_LETTERS;
    compound->n_hyphens += compound->joint == COMPOUND_HYPHEN;
    if (compound->n_parts++ == 0 || part.size < compound->least) compound->least = part.size;
    if (is_number && compound->number_size <= COMPOUND_MAX_BYTES)
        number->size = compound->number_size;
    int is_over = joint == COMPOUND_NONE;
    int is_one =
        compound->n_letter_joints > 0 || (compound->n_hyphens > 0 && compound->least <= SHORT_PART);
    if (is_over && is_one && compound->whole_size <= COMPOUND_MAX_BYTES)
        *whole = (struct span){compound->whole, compound->whole_size};
    if (is_over) clear(compound);
    compound->joint = joint;
}
