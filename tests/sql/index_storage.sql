-- An index that grows into partitions, shrinks, and is written anew.
CREATE TABLE numbers(i INTEGER PRIMARY KEY, vector TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO numbers SELECT i, printf('[%d,%d,%d]', i * 7 % 41 - 20, i * 11 % 37 + 1, i % 5) FROM n;

CREATE VIRTUAL TABLE b USING semantic_index(dimensions=3, quantize=bit, partitions=3, metric=l2);
INSERT INTO b(rowid, embedding) SELECT i, vector FROM numbers;
SELECT count(*) > 1 FROM b_partitions;
SELECT sum(n) FROM b_blocks;
SELECT rowid, round(distance, 4) FROM b('[3, 3, 3]', 4);
SELECT rowid, round(distance, 4) FROM b('[3, 3, 3]') LIMIT 2 OFFSET 3;
SELECT count(*) FROM b WHERE query = '[3, 3, 3]' AND similarity >= 0.1;
SELECT rowid FROM b WHERE query = '[3, 3, 3]' AND k = 2 AND rowid IN (SELECT i FROM numbers WHERE i % 7 = 0);
INSERT OR REPLACE INTO b(rowid, embedding) VALUES (1, '[3, 3, 3]'), (400, '[3, 3, 2]');
UPDATE b SET embedding = '[3, 3, 4]' WHERE rowid = 300;
SELECT rowid, round(distance, 4) FROM b('[3, 3, 3]', 4);
BEGIN;
DELETE FROM b WHERE rowid < 250;
SELECT rowid, round(distance, 4) FROM b('[3, 3, 3]', 3);
ROLLBACK;
SELECT rowid, round(distance, 4) FROM b('[3, 3, 3]', 3);
DELETE FROM b WHERE rowid BETWEEN 2 AND 290;
INSERT INTO b(b) VALUES ('integrity-check');
INSERT INTO b(b) VALUES ('optimize');
INSERT INTO b(b) VALUES ('integrity-check');
SELECT count(*), (SELECT count(*) FROM b_partitions), (SELECT sum(n) FROM b_blocks) FROM b;
SELECT rowid, vector_to_json(embedding) FROM b('[3, 3, 3]', 2);
UPDATE b_data SET bytes = zeroblob(length(bytes));
INSERT INTO b(b) VALUES ('integrity-check');
INSERT INTO b(b) VALUES ('optimize');
INSERT INTO b(b) VALUES ('integrity-check');
ALTER TABLE b RENAME TO c;
SELECT rowid FROM c('[3, 3, 3]', 1);

CREATE VIRTUAL TABLE e USING semantic_index(dimensions=3, metric=dot);
INSERT INTO e(rowid, embedding) SELECT i, vector FROM numbers;
SELECT rowid, similarity FROM e('[1, 2, 0]', 3);
SELECT vector_to_json(embedding) FROM e WHERE rowid = 77;
SELECT rowid FROM e WHERE query = '[1, 2, 0]' AND k = 3 AND rowid IN (1, 77, -4, 301);
DELETE FROM e WHERE rowid > 20;
INSERT INTO e(e) VALUES ('optimize');
SELECT block, n, room FROM e_blocks;
INSERT INTO e(e) VALUES ('integrity-check');
DROP TABLE c;
DROP TABLE e;
SELECT name FROM sqlite_schema;
