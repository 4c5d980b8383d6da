/*
 * scrub.h: a stranger's message made fit to be shown.
 */
#ifndef API_SCRUB_H
#define API_SCRUB_H

#define API_MESSAGE_BYTES 200

/*
 * Writes the message (any bytes, NUL terminated) into out: one line of valid UTF-8, at most
 * API_MESSAGE_BYTES long and a NUL, without a full stop at its end; what is cut ends in "...".
 *
 * "[key]" stands for `key` (may be NULL), in any case; for a word that begins or ends as it does
 * and for one masked in the middle (sk-...abcd, tgp_********abcd); for what follows "Bearer"; for a
 * word with a known prefix of keys; and for 32 and more letters and digits in a row. Rather one
 * word too many than a key. A message of HTML becomes empty.
 */
void api_scrub(const char *message, const char *key, char out[API_MESSAGE_BYTES + 1]);

#endif
