-- Conditions on an index's columns apply before the k are taken.
CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT, section TEXT COLLATE NOCASE, day TEXT);
WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 40)
INSERT INTO docs SELECT i, 'report ' || i, iif(i % 10, 'news', 'Arts'), date('2026-01-01', i || ' days') FROM n;
CREATE INDEX docs_day ON docs(day);
CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = 'body', dimensions = 1, metric = 'l2', candidates = 5);
INSERT INTO ix(rowid, embedding) SELECT id, vector(json_array(id)) FROM docs;
SELECT group_concat(rowid) FROM ix('[1]', 2) WHERE section = 'arts';
-- The same again finds what is known by now, until something is written.
SELECT group_concat(rowid) FROM ix('[1]', 2) WHERE section = 'arts';
SELECT group_concat(rowid) FROM ix('[1]', 2) WHERE section = 'arts';
SELECT group_concat(rowid) FROM ix('[1]', 2) WHERE section = 'arts' AND rowid IN (20, 30, 31);
UPDATE docs SET section = 'arts' WHERE id = 3;
SELECT group_concat(rowid) FROM ix('[1]', 2) WHERE section = 'arts';
UPDATE docs SET section = 'news' WHERE id = 3;
SELECT group_concat(rowid) FROM ix('[1]', 2) WHERE section LIKE 'A%' AND rowid > 10;
SELECT group_concat(rowid) FROM ix('[1]', 2) WHERE day >= '2026-02-01' AND section != 'NEWS';
SELECT group_concat(rowid) FROM ix('[1]', 2) WHERE section IN ('ARTS', 'none') AND day IS NOT NULL;
SELECT group_concat(rowid) FROM ix('[1]', 2) WHERE rowid = 30;
SELECT group_concat(rowid) FROM ix('[1]', 2) WHERE section = 'none';
SELECT group_concat(rowid) FROM ix('[1]') WHERE section = 'arts';
SELECT group_concat(rowid) FROM (SELECT rowid FROM ix('[1]') WHERE section = 'arts' LIMIT 2 OFFSET 1);
-- Rings and pages.
SELECT group_concat(rowid) FROM ix('[1]', 3) WHERE distance > 5;
SELECT group_concat(rowid) FROM ix('[1]', 3) WHERE similarity <= 0.1 AND similarity > 0.09;
SELECT group_concat(rowid || ':' || rank) FROM ix('[1]', 3) WHERE rank > 5;
SELECT group_concat(rowid) FROM ix('[1]') WHERE rank BETWEEN 4 AND 6;
SELECT group_concat(rowid) FROM ix WHERE query = '[1]' AND k <= 2;
SELECT rowid FROM ix WHERE query = '[1]' AND k > 2;
CREATE VIRTUAL TABLE body USING semantic_index(content = 'docs', text = 'body');
-- A listing that names all columns.
SELECT query, k, similarity, distance, relevance, rank, vector_to_json(embedding), ix, id FROM ix LIMIT 1;
SELECT query, k, similarity, distance, relevance, rank, id FROM ix LIMIT 1;
DROP TABLE docs;
SELECT count(*) FROM ix('[1]', 2) WHERE section = 'arts';
