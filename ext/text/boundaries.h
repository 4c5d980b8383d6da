/*
 * boundaries.h: where a text may be cut, and how well.
 *
 * A text is read as runs without white space. Behind each run it may be cut, the better the more
 * ends there:
 *   paragraph   an empty line follows (or the end of the text)
 *   sentence    the run ends with . ! ? or their like of other scripts, and quotes and brackets
 *               that close. Not after a title ("Dr."), an initial ("J."), "e.g." and such, nor
 *               where the next word begins with a small letter. A decimal point is inside its run.
 *   line        the line ends
 *   word        any other white space
 *   character   nowhere, but the run was too long
 * Scripts without spaces: a run also ends behind their full stops (a sentence) and their commas (a
 * word). Modest on purpose: a sentence too few costs a little, a model for it would cost much.
 */
#ifndef TEXT_BOUNDARIES_H
#define TEXT_BOUNDARIES_H

enum boundary {
    BOUNDARY_CHARACTER,
    BOUNDARY_WORD,
    BOUNDARY_LINE,
    BOUNDARY_SENTENCE,
    BOUNDARY_PARAGRAPH
};
#define N_BOUNDARIES 5

/* Bytes of the longest run: one that goes on is cut there, between two characters. */
#define BOUNDARY_RUN_MAX 65536

struct boundary_run {
    const char *start, *end; /* not empty */
    enum boundary after;
};

/* The next run at or after *at, which is moved past it; 0: nothing but white space is left. The
 * text is UTF-8; white space is what Unicode says. */
int boundary_next(const char **at, const char *end, struct boundary_run *run);

#endif
