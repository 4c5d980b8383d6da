#include "text/particles.h"

#include <string.h>

#include "text/unicode/classes.h"
#include "text/utf8.h"

/* The syllable that a particle follows. */
enum behind { ANY, OPEN, CLOSED, OPEN_OR_L };

struct particle {
    const char *text;
    enum behind behind;
};

/* The longest first. */
static const struct particle particles[] = {
    {"으로부터", CLOSED}, {"에서부터", ANY},   {"이라고", CLOSED}, {"이라는", CLOSED},
    {"에서는", ANY},      {"에서도", ANY},     {"에게서", ANY},    {"으로는", CLOSED},
    {"으로서", CLOSED},   {"으로써", CLOSED},  {"까지는", ANY},    {"까지도", ANY},
    {"이나마", CLOSED},   {"에서", ANY},       {"에게", ANY},      {"에는", ANY},
    {"에도", ANY},        {"까지", ANY},       {"부터", ANY},      {"처럼", ANY},
    {"보다", ANY},        {"하고", ANY},       {"한테", ANY},      {"께서", ANY},
    {"마다", ANY},        {"조차", ANY},       {"밖에", ANY},      {"만큼", ANY},
    {"으로", CLOSED},     {"이나", CLOSED},    {"이랑", CLOSED},   {"이며", CLOSED},
    {"이란", CLOSED},     {"이다", CLOSED},    {"라고", OPEN},     {"라는", OPEN},
    {"로서", OPEN_OR_L},  {"로써", OPEN_OR_L}, {"들은", ANY},      {"들이", ANY},
    {"들을", ANY},        {"들의", ANY},       {"은", CLOSED},     {"는", OPEN},
    {"이", CLOSED},       {"가", OPEN},        {"을", CLOSED},     {"를", OPEN},
    {"과", CLOSED},       {"와", OPEN},        {"로", OPEN_OR_L},  {"나", OPEN},
    {"랑", OPEN},         {"며", OPEN},        {"란", OPEN},       {"의", ANY},
    {"에", ANY},          {"도", ANY},         {"만", ANY},        {"들", ANY},
};

static int follows(enum behind behind, uint32_t syllable)
{
    uint32_t final = (syllable - 0xAC00) % 28; /* 0: open; 8: rieul */
    switch (behind) {
    case OPEN:
        return final == 0;
    case CLOSED:
        return final != 0;
    case OPEN_OR_L:
        return final == 0 || final == 8;
    default:
        return 1;
    }
}

size_t particles_noun(struct span word)
{
    for (size_t i = 0; i < sizeof particles / sizeof *particles; i++) {
        size_t size = strlen(particles[i].text);
        if (word.size <= size) continue;
        const char *end = word.data + word.size - size;
        if (memcmp(end, particles[i].text, size) != 0) continue;
        const char *last = utf8_before(word.data, end);
        uint32_t syllable = utf8_next(&last, end);
        if (unicode_is_syllable(syllable) && follows(particles[i].behind, syllable))
            return word.size - size;
    }
    return word.size;
}
