-- Vectors kept as bytes: what comes back, what a search finds, what is refused.
CREATE VIRTUAL TABLE f USING semantic_index(dimensions=4);
CREATE VIRTUAL TABLE a USING semantic_index(dimensions=4, storage='int8');
SELECT name, value FROM a_config JOIN (SELECT 'a' AS name) WHERE key = 'format';
SELECT value FROM f_config WHERE key = 'format';
INSERT INTO a(rowid, embedding) VALUES (1, '[1,2,3,4]'), (2, '[4,3,2,1]'), (3, '[0,0,-10,0]'), (4, '[1,2,3,4.2]');
SELECT rowid, round(similarity, 3), round(distance, 3) FROM a('[1,2,3,4]', 4);
SELECT rowid, length(embedding), round(cosine_sim(embedding, '[1,2,3,4]'), 3) FROM a;
SELECT max(abs(similarity - cosine_sim(embedding, '[3,-1,2,5]'))) < 1e-6 FROM a('[3,-1,2,5]', 9);
SELECT length(bytes) / (n + room), n FROM a_data JOIN a_blocks USING (block);
SELECT a.rowid, a.similarity = one.similarity FROM a('[2,2,3,4]', 2) AS a JOIN a('[2,2,3,4]', 4) AS one ON one.rowid = a.rowid;
SELECT rowid FROM a WHERE query = '[1,2,3,4]' AND rowid IN (2, 3) AND k = 1;
SELECT count(*) FROM a WHERE query = '[1,2,3,4]' AND similarity >= 0.99;
BEGIN;
UPDATE a SET embedding = '[-1,-2,-3,-4]' WHERE rowid = 1;
SELECT rowid, round(similarity, 3) FROM a('[1,2,3,4]') LIMIT 2;
ROLLBACK;
SELECT rowid FROM a('[1,2,3,4]') LIMIT 1;
CREATE TEMP TABLE before AS SELECT rowid AS id, embedding FROM a;
INSERT INTO a(a) VALUES ('optimize');
INSERT INTO a(a) VALUES ('integrity-check');
SELECT count(*) FROM before JOIN a ON a.rowid = id WHERE a.embedding = before.embedding;
INSERT INTO a(rowid, embedding) VALUES (5, '[1e31,0,0,0]');
INSERT INTO a(rowid, embedding) VALUES (5, '[1e-31,0,0,0]');
INSERT INTO a(rowid, embedding) VALUES (5, '[0,0,0,0]');
SELECT rowid FROM a('[1e31,0,0,0]');
SELECT k, recall, scanned, rescored FROM semantic_recall('a', 2);
SELECT rows, vector_bytes, code_bytes, problem FROM semantic_status('a');

-- Beside codes, by the other metrics.
CREATE VIRTUAL TABLE b USING semantic_index(dimensions=3, metric=l2, quantize=bit, storage=int8);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
INSERT INTO b(rowid, embedding) SELECT i, printf('[%d,%d,%d]', i * 7 % 41 - 20, i * 11 % 37 + 1, i % 5) FROM n;
SELECT rowid, round(distance, 1) FROM b('[3, 3, 3]', 3);
SELECT max(length(vector)), count(*) FROM b_vectors;
DELETE FROM b WHERE rowid BETWEEN 2 AND 30;
INSERT INTO b(b) VALUES ('optimize');
INSERT INTO b(b) VALUES ('integrity-check');
UPDATE b_vectors SET vector = zeroblob(8) WHERE id = 1;
INSERT INTO b(b) VALUES ('integrity-check');
SELECT rowid FROM b('[3, 3, 3]');
SELECT embedding FROM b WHERE rowid = 1;
DROP TABLE b;
CREATE VIRTUAL TABLE d USING semantic_index(metric=dot, storage=INT8);
INSERT INTO d(rowid, embedding) VALUES (1, '[0,0]'), (2, '[3,4]');
SELECT rowid, round(similarity, 1), vector_to_json(embedding) <> '[0,0]' FROM d('[1,2]', 2);

-- Texts.
CREATE VIRTUAL TABLE t USING semantic_index(model='builtin:lexical', storage='int8');
INSERT INTO t(text) VALUES ('a bat at night'), ('the sea in summer'), ('bats and caves');
SELECT text FROM t('bat') LIMIT 1;
INSERT INTO t(t) VALUES ('integrity-check');

-- What is damaged, or is no such option.
UPDATE d_data SET bytes = substr(bytes, 1, 128) || x'0000c0ff' || substr(bytes, 133);
INSERT INTO d(d) VALUES ('integrity-check');
INSERT INTO d(d) VALUES ('optimize');
UPDATE d_config SET value = 2 WHERE key = 'format';
SELECT rowid FROM d('[1,2]', 2);
CREATE VIRTUAL TABLE e USING semantic_index(storage=int4);
CREATE VIRTUAL TABLE e USING semantic_index(storage=int8, storage=int8);
ALTER TABLE t RENAME TO u;
SELECT text FROM u('caves') LIMIT 1;
DROP TABLE a;
DROP TABLE d;
DROP TABLE f;
DROP TABLE u;
SELECT name FROM sqlite_schema;
