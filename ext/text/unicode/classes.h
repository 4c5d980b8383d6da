/*
 * classes.h: kinds of characters that the Unicode Character Database has no property for, or that
 * are wanted coarser than it has them. Sets of our own making, for the scripts named.
 */
#ifndef TEXT_UNICODE_CLASSES_H
#define TEXT_UNICODE_CLASSES_H

#include <stdint.h>

/* What a character is to a text that is cut into words. */
enum unicode_kind {
    UNICODE_SEPARATOR,
    UNICODE_LETTER, /* a digit or a mark too, and what is not known */
    UNICODE_ALONE,  /* ideographs, kana, emoji: each a word of its own */
    UNICODE_APOSTROPHE,
    UNICODE_UNSPACED /* a letter, mark or sign of an alphabet without spaces between words */
};
enum unicode_kind unicode_kind_of(uint32_t character);

/* The same, with what the Unicode Character Database has: marks of punctuation and symbols of all
 * scripts separate, and so does what is not assigned. UNICODE_UNSPACED is told apart. */
enum unicode_kind unicode_word_kind_of(uint32_t character);

/* Of scripts without spaces: whether a character stays with the one before it. Thai and Lao by the
 * clusters of Theeramunkong et al. ("Character cluster based Thai information retrieval", IRAL
 * 2000), but for what only a dictionary knows; others by their marks and stacked consonants. */
int unicode_joins_cluster(uint32_t before, uint32_t character);

/* Ends of sentences: ! ? ... and those of Greek, Arabic, Urdu, Hindi, Armenian, Ethiopic; and full
 * stops and commas of scripts that may go on behind them without a space. Not the point of
 * ASCII. */
int unicode_is_stop(uint32_t character);
int unicode_is_wide_stop(uint32_t character); /* is a stop, too */
int unicode_is_wide_comma(uint32_t character);

/* Quotes and brackets. Some quotes are both: what closes in one language opens in another. */
int unicode_is_closing(uint32_t character);
int unicode_is_opening(uint32_t character);

/* Small letters of ASCII, Latin-1, Greek and Cyrillic. */
int unicode_is_small_letter(uint32_t character);

/* Scripts that put no space between words, and Hangul, whose syllables are tokens of their own. */
int unicode_is_dense(uint32_t character);

/* Characters inside a word that nobody sees or, in Hebrew and Arabic, that few write: points, vowel
 * signs, tatweel, soft hyphens, joiners, variation selectors, marks of direction. */
int unicode_is_hidden(uint32_t character);

/* Hangul as single letters: what may join a syllable. */
int unicode_is_jamo(uint32_t character);
int unicode_is_syllable(uint32_t character); /* Hangul's */
int unicode_is_arabic(uint32_t character);   /* a letter */

/* The letter or digit that readers take this one for, as text/spelling.h says; itself: no other. */
uint32_t unicode_plain_letter(uint32_t character);

/* Frequent characters that text/spelling.h leaves as they are, whatever stands beside them: NFKC
 * does so too, or what it makes of a letter fold.h makes of it as well. */
static inline int unicode_is_surely_plain(uint32_t c)
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

/* White space, controls, and characters that turn the direction of a line or hide: nothing that is
 * to be seen. */
int unicode_is_blank(uint32_t character);

#endif
