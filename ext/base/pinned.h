/*
 * pinned.h: a library that stays in the process. SQLite unloads one whose entry point failed, and
 * keeps what it had registered; or one whose connection closes, while others still use it.
 */
#ifndef BASE_PINNED_H
#define BASE_PINNED_H

/* Keeps the file that this code is in. Elsewhere than on Windows its link says so (-z nodelete). */
void pinned_keep(void);

#endif
