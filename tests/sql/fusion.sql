-- Words and vectors in one ranking: the columns of a search, what they take, what they refuse.
CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT, note TEXT);
INSERT INTO docs VALUES (1, 'the cat sleeps on the mat', 'x'), (2, 'dogs bark at night', 'y'),
  (3, 'a cat and a dog', 'z'), (4, 'fish swim in the sea', 'x'), (5, 'night falls over the sea', 'y');
CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = 'body', model = 'builtin:lexical', lexical = 'fts5',
  tokenizer = 'porter unicode61 remove_diacritics 2');
INSERT INTO ix(ix) VALUES ('sync');
SELECT rowid, rank, round(score, 6), round(similarity, 6), round(bm25, 6), fusion, weight
  FROM ix('cat night');
SELECT rowid, round(score, 6), similarity, bm25 IS NULL FROM ix('cat night', 3) WHERE weight = 0;
SELECT rowid, score = similarity, bm25 FROM ix('cat night', 3) WHERE weight = 1;
SELECT rowid, round(score, 6), fusion FROM ix('cat night', 3) WHERE fusion = 'RRF' AND weight = 0.5;
SELECT rowid FROM ix('"a cat" night');
SELECT rowid FROM ix('sea -fish', 2) ORDER BY score DESC;
SELECT rowid FROM ix('sea -fish', 2) WHERE body LIKE '%the%' AND weight = 1;
SELECT rowid, relevance IS NOT NULL FROM ix('cat night', 2) WHERE bm25 > 0 AND id <> 3
 ORDER BY relevance DESC;
SELECT rowid FROM ix('cat night', 2) WHERE score < (SELECT max(score) FROM ix('cat night'));
SELECT key, id, round(score, 6), round(bm25, 6)
  FROM semantic_search_each('ix', '["cat", "\"over the\"", "-sea bark", "zzqx"]', 1);
SELECT rowid, fusion, weight FROM ix('cat', 1) WHERE weight = NULL AND fusion = NULL;
SELECT rowid, weight FROM ix('cat', 1) WHERE weight = '.25';
-- what nobody is to type
SELECT rowid FROM ix('cat') WHERE weight = 1.5;
SELECT rowid FROM ix('cat') WHERE weight = 'much';
SELECT rowid FROM ix('cat') WHERE weight = x'00';
SELECT rowid FROM ix('cat') WHERE fusion = 'sum';
SELECT rowid FROM ix('cat') WHERE fusion = x'00';
SELECT bm25 FROM ix;
UPDATE ix SET score = 1;
INSERT INTO ix(rowid, weight) VALUES (9, 1);
INSERT INTO ix(ix, fusion) VALUES ('sync', 'rrf');
CREATE VIRTUAL TABLE y USING semantic_index(lexical = 'fts5', fusion = 'sum');
CREATE VIRTUAL TABLE y USING semantic_index(lexical = 'fts5', weight = '1.01');
CREATE VIRTUAL TABLE y USING semantic_index(lexical = 'fts5', weight = 'a');
CREATE VIRTUAL TABLE y USING semantic_index(model = 'builtin:lexical', weight = 0.5);
CREATE VIRTUAL TABLE y USING semantic_index(lexical = 'none', fusion = 'rrf');
CREATE VIRTUAL TABLE bm25 USING semantic_index(lexical = 'fts5');
-- A column of the content is the content's, whatever its name; the index then has none of that name.
CREATE TABLE goods(id INTEGER PRIMARY KEY, name TEXT, weight INT, score REAL);
INSERT INTO goods VALUES (1, 'an iron kettle', 80, 4.5), (2, 'a tea kettle', 3, 5), (3, 'an iron bar', 80, 1);
CREATE VIRTUAL TABLE gx USING semantic_index(content = 'goods', text = 'name', weight = 0);
INSERT INTO gx(gx) VALUES ('sync');
SELECT * FROM gx('kettle') WHERE weight = 80;
SELECT rowid, bm25 > 0, fusion FROM gx('kettle') WHERE score > 4.6 AND fusion = 'rrf';
SELECT rowid, rank FROM gx('iron kettle') ORDER BY score DESC;
INSERT INTO gx(rowid, weight) VALUES (9, 1);
ALTER TABLE goods RENAME COLUMN weight TO grams;
SELECT rowid, grams, weight FROM gx('kettle', 1);
ALTER TABLE goods ADD COLUMN bm25 TEXT DEFAULT 'x';
SELECT name, bm25, similarity IS NULL FROM gx('kettle', 1);
CREATE TABLE w(weight TEXT NOT NULL UNIQUE, body TEXT);
INSERT INTO w VALUES ('80 g', 'a feather');
CREATE VIRTUAL TABLE y USING semantic_index(content = 'w', text = 'body', content_rowid = 'weight');
INSERT INTO y(y) VALUES ('sync');
SELECT weight, body FROM y('feather') WHERE weight = '80 g';
