-- The tokenizer `rerank` on a plain FTS5 table: words with their pieces, scripts without spaces.

CREATE VIRTUAL TABLE t USING fts5(text, tokenize = 'rerank porter unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE v USING fts5vocab(t, 'instance');
INSERT INTO t(rowid, text) VALUES
    (1, 'The retrieved программы, 12345678'), (2, '東京都の猫 Windows版'), (3, '검색엔진 서울'),
    (4, 'ภาษาไทย');

SELECT doc, offset, group_concat(replace(term, char(1), '~'), ' ')
FROM (SELECT * FROM v ORDER BY doc, offset, term) GROUP BY doc, offset;

-- MATCH asks for words, pairs, and a character that stands alone; never for pieces.
SELECT group_concat(rowid) FROM t('retrieving');
SELECT group_concat(rowid) FROM t('retr');
SELECT group_concat(rowid) FROM t('программа');
SELECT group_concat(rowid) FROM t('猫');
SELECT group_concat(rowid) FROM t('東京');
SELECT group_concat(rowid) FROM t('"京都の"');
SELECT group_concat(rowid) FROM t('京東');
SELECT group_concat(rowid) FROM t('東*');
SELECT group_concat(rowid) FROM t('windows');
SELECT group_concat(rowid) FROM t('검색');
SELECT group_concat(rowid) FROM t('ไทย');
SELECT highlight(t, 0, '[', ']') FROM t('"東京都" OR 猫 OR windows OR retrieved');

-- A piece is asked for with its mark.
SELECT group_concat(rowid) FROM t('"' || char(1) || 'прог"');
SELECT group_concat(rowid) FROM t('"' || char(1) || '색엔"');
SELECT group_concat(rowid) FROM t('"' || char(1) || '"');

-- Pieces do not count in a document's length.
SELECT id, quote(sz) FROM t_docsize;

UPDATE t SET text = 'another 猫' WHERE rowid = 1;
DELETE FROM t WHERE rowid = 3;
INSERT INTO t(t) VALUES ('integrity-check');
SELECT group_concat(rowid) FROM t('猫');

-- Bytes that are no UTF-8, NUL, nothing, a word of a megabyte.
INSERT INTO t(rowid, text) VALUES (5, CAST(x'E69DFFE6' AS TEXT)), (6, CAST(x'006100' AS TEXT)), (7, ''),
    (8, NULL), (9, replace(hex(zeroblob(100000)), '0', 'x')), (10, replace(hex(zeroblob(2000)), '0', '猫'));
INSERT INTO t(t) VALUES ('integrity-check');
SELECT group_concat(rowid) FROM t('xxx*');
DROP TABLE t;

-- Around others; what is inside unknown tokenizers, or refuses its arguments.
CREATE VIRTUAL TABLE t USING fts5(text, tokenize = rerank);
INSERT INTO t VALUES ('Überraschung');
SELECT replace(term, char(1), '~') FROM v ORDER BY term;
DROP TABLE t;
CREATE VIRTUAL TABLE t USING fts5(text, tokenize = 'rerank trigram');
INSERT INTO t VALUES ('abcd');
SELECT term FROM v ORDER BY term;
DROP TABLE t;
CREATE VIRTUAL TABLE t USING fts5(text, tokenize = 'rerank nothing');
CREATE VIRTUAL TABLE t USING fts5(text, tokenize = 'rerank unicode61 nothing');
