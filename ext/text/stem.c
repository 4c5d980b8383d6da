#include "text/stem.h"

#include <string.h>

/* The paper's names: a word is [C](VC)^m[V], C and V runs of consonants and vowels; m is its
 * measure. */
struct stemmer {
    char *word;
    size_t size;
};

static int is_consonant(const struct stemmer *s, size_t i)
{
    switch (s->word[i]) {
    case 'a':
    case 'e':
    case 'i':
    case 'o':
    case 'u':
        return 0;
    case 'y':
        return i == 0 || !is_consonant(s, i - 1);
    default:
        return 1;
    }
}

/* m of the first n letters. */
static int measure(const struct stemmer *s, size_t n)
{
    int m = 0;
    for (size_t i = 1; i < n; i++)
        if (is_consonant(s, i) && !is_consonant(s, i - 1)) m++;
    return m;
}

static int has_vowel(const struct stemmer *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_consonant(s, i)) return 1;
    return 0;
}

/* *d: the first n letters end in a double consonant. */
static int ends_double(const struct stemmer *s, size_t n)
{
    return n >= 2 && s->word[n - 1] == s->word[n - 2] && is_consonant(s, n - 1);
}

/* *o: they end in consonant, vowel, consonant, the last not w, x or y. */
static int ends_short(const struct stemmer *s, size_t n)
{
    if (n < 3 || !is_consonant(s, n - 1) || is_consonant(s, n - 2) || !is_consonant(s, n - 3))
        return 0;
    return strchr("wxy", s->word[n - 1]) == NULL;
}

/* Does the word end in suffix? *stem: the letters before it. */
static int ends(const struct stemmer *s, const char *suffix, size_t *stem)
{
    size_t n = strlen(suffix);
    if (n > s->size || memcmp(s->word + s->size - n, suffix, n) != 0) return 0;
    *stem = s->size - n;
    return 1;
}

static void replace(struct stemmer *s, size_t stem, const char *suffix)
{
    size_t n = strlen(suffix);
    memcpy(s->word + stem, suffix, n);
    s->size = stem + n;
}

static void step_1a(struct stemmer *s)
{
    size_t stem;
    if (ends(s, "sses", &stem)) replace(s, stem, "ss");
    else if (ends(s, "ies", &stem)) replace(s, stem, "i");
    else if (!ends(s, "ss", &stem) && ends(s, "s", &stem)) s->size = stem;
}

static void step_1b(struct stemmer *s)
{
    size_t stem;
    if (ends(s, "eed", &stem)) {
        if (measure(s, stem) > 0) replace(s, stem, "ee");
        return;
    }
    if (!((ends(s, "ed", &stem) || ends(s, "ing", &stem)) && has_vowel(s, stem))) return;
    s->size = stem;
    if (ends(s, "at", &stem) || ends(s, "bl", &stem) || ends(s, "iz", &stem))
        s->word[s->size++] = 'e';
    else if (ends_double(s, s->size) && strchr("lsz", s->word[s->size - 1]) == NULL) s->size--;
    else if (measure(s, s->size) == 1 && ends_short(s, s->size)) s->word[s->size++] = 'e';
}

static void step_1c(struct stemmer *s)
{
    size_t stem;
    if (ends(s, "y", &stem) && has_vowel(s, stem)) s->word[stem] = 'i';
}

struct rule {
    const char *suffix, *replacement;
};

/* The first rule whose suffix fits decides; it acts when the stem's measure is above `least`. */
static void apply(struct stemmer *s, const struct rule *rules, size_t n, int least)
{
    size_t stem;
    for (size_t i = 0; i < n; i++) {
        if (!ends(s, rules[i].suffix, &stem)) continue;
        if (measure(s, stem) > least) replace(s, stem, rules[i].replacement);
        return;
    }
}

static void step_2(struct stemmer *s)
{
    static const struct rule rules[] = {
        {"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"},   {"anci", "ance"},
        {"izer", "ize"},    {"abli", "able"},   {"alli", "al"},     {"entli", "ent"},
        {"eli", "e"},       {"ousli", "ous"},   {"ization", "ize"}, {"ation", "ate"},
        {"ator", "ate"},    {"alism", "al"},    {"iveness", "ive"}, {"fulness", "ful"},
        {"ousness", "ous"}, {"aliti", "al"},    {"iviti", "ive"},   {"biliti", "ble"},
    };
    apply(s, rules, sizeof rules / sizeof *rules, 0);
}

static void step_3(struct stemmer *s)
{
    static const struct rule rules[] = {{"icate", "ic"}, {"ative", ""},  {"alize", "al"},
                                        {"iciti", "ic"}, {"ical", "ic"}, {"ful", ""},
                                        {"ness", ""}};
    apply(s, rules, sizeof rules / sizeof *rules, 0);
}

static void step_4(struct stemmer *s)
{
    static const struct rule rules[] = {
        {"al", ""},   {"ance", ""}, {"ence", ""},  {"er", ""},   {"ic", ""},  {"able", ""},
        {"ible", ""}, {"ant", ""},  {"ement", ""}, {"ment", ""}, {"ent", ""}, {"ou", ""},
        {"ism", ""},  {"ate", ""},  {"iti", ""},   {"ous", ""},  {"ive", ""}, {"ize", ""}};
    size_t stem;
    if (ends(s, "ion", &stem)) {
        if (stem > 0 && strchr("st", s->word[stem - 1]) != NULL && measure(s, stem) > 1)
            s->size = stem;
        return;
    }
    apply(s, rules, sizeof rules / sizeof *rules, 1);
}

static void step_5(struct stemmer *s)
{
    size_t stem;
    if (ends(s, "e", &stem)) {
        int m = measure(s, stem);
        if (m > 1 || (m == 1 && !ends_short(s, stem))) s->size = stem;
    }
    if (measure(s, s->size) > 1 && ends_double(s, s->size) && s->word[s->size - 1] == 'l')
        s->size--;
}

size_t stem_english(char *word, size_t size)
{
    if (size <= 2) return size;
    for (size_t i = 0; i < size; i++)
        if (word[i] < 'a' || word[i] > 'z') return size;
    struct stemmer s = {word, size};
    step_1a(&s);
    step_1b(&s);
    step_1c(&s);
    step_2(&s);
    step_3(&s);
    step_4(&s);
    step_5(&s);
    return s.size;
}
