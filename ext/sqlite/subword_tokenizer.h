/*
 * subword_tokenizer.h: `rerank`, a tokenizer for FTS5 around another one.
 *
 *     CREATE VIRTUAL TABLE t USING fts5(text, tokenize = 'rerank porter unicode61')
 *
 * Its arguments are the tokenizer that cuts words, and that one's own; none: unicode61. To each
 * word it adds pieces (text/subwords.h) at the same place, and it cuts what scripts without spaces
 * write into pairs of characters (text/unspaced.h), which the other tokenizer never sees.
 *
 * What comes of a text depends on what FTS5 wants of it:
 *   a document        words and pieces; pairs, and each character at the same place
 *   a query (MATCH)   words; pairs, or the character where it stands alone. A text that begins
 *                     with SUBWORD_MARK is a piece, and one token as it is
 *   FTS5_TOKENIZE_TERMS   (fts5.h) as a query, with pieces
 */
#ifndef SQLITE_SUBWORD_TOKENIZER_H
#define SQLITE_SUBWORD_TOKENIZER_H

#include "sqlite/connection.h"

/* Registers it for the connection, where SQLite has FTS5. SQLite's result code. */
int subword_tokenizer_register(struct connection *connection);

#endif
