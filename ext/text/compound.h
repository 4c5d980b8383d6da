/*
 * compound.h: words that are written together: kebab-case, snake_case, node.js, AT&T, U.S.A., and
 * numbers with points, as 3.40.1, 192.168.1.1, 2024-05-01, 5,000.00.
 *
 * The parts are words of their own. Beside them stands the whole, without what joins it, so that
 * "e-mail" meets "email" and "snake_case" "snakecase"; not of words with hyphens whose parts are
 * all long, as n-grams make those meet and prose is full of them. Between digits a point is kept,
 * for 3.40 is not 340, and every such joint is a point, so that 2024/05/01 is 2024-05-01; of
 * numbers with more than two parts each beginning stands there too ("3.40" of 3.40.1), without the
 * v of a version. A comma in thousands is left out.
 */
#ifndef TEXT_COMPOUND_H
#define TEXT_COMPOUND_H

#include <stddef.h>

#include "base/span.h"

/* What stands between two parts. */
enum compound_joint {
    COMPOUND_NONE,    /* nothing: the compound is at its end */
    COMPOUND_LETTERS, /* _ . & */
    COMPOUND_HYPHEN,
    COMPOUND_NUMBERS,
    COMPOUND_THOUSANDS
};

/* The kind of joint that the character at `at` is, behind a letter or digit; at < end. */
enum compound_joint compound_joint_at(const char *at, const char *end);

#define COMPOUND_MAX_BYTES 64 /* of what is longer the parts stand alone */

/* All zero: empty. */
struct compound {
    char whole[COMPOUND_MAX_BYTES], number[COMPOUND_MAX_BYTES];
    size_t whole_size, number_size;
    size_t n_parts, n_letter_joints, n_hyphens;
    size_t least;              /* bytes of the shortest part */
    enum compound_joint joint; /* behind the latest part */
};

/* The next part, folded, and what follows it. *number: the number that ends with it, empty: none;
 * *whole: all of it, at its end, empty: it has one part, or is such a number. Both live until the
 * next call. */
void compound_add(struct compound *compound, struct span part, enum compound_joint joint,
                  struct span *number, struct span *whole);

#endif
