-- semantic_map: the rows of an index on a plane.
CREATE VIRTUAL TABLE v USING semantic_index(dimensions = 3, metric = 'l2');
SELECT * FROM semantic_map('v');

-- Columns: the key, x, y. The mean is the origin, both axes have one scale, up to 1.
INSERT INTO v(rowid, embedding)
VALUES (1, '[4, 1, 0]'), (2, '[-4, 1, 0]'), (3, '[0, 3, 0]'), (-4, '[0, -1, 0]');
SELECT key, round(x, 3), round(y, 3) FROM semantic_map('v');

-- One row, and rows that are equal, are the origin.
DELETE FROM v WHERE rowid <> 1;
SELECT * FROM semantic_map('v');
INSERT INTO v(rowid, embedding) VALUES (2, '[4, 1, 0]');
SELECT * FROM semantic_map('v');

-- Of one dimension there is no y.
CREATE VIRTUAL TABLE line USING semantic_index(dimensions = 1, metric = 'dot');
INSERT INTO line(rowid, embedding) VALUES (1, '[1]'), (2, '[2]'), (3, '[9]');
SELECT key, round(x, 3), y FROM semantic_map('line');

-- Where only directions count, they alone count here.
CREATE VIRTUAL TABLE circle USING semantic_index(dimensions = 2);
INSERT INTO circle(rowid, embedding)
VALUES (1, '[1, 0]'), (2, '[-100, 0]'), (3, '[0, 0.5]'), (4, '[0, -7]'), (5, '[3, 0]');
SELECT key, round(x, 3), round(y, 3) FROM semantic_map('circle');

-- Of many rows some, at equal steps.
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 100)
INSERT INTO circle(rowid, embedding) SELECT 10 * i, vector(json_array(cos(i), sin(i))) FROM c;
SELECT count(*), min(key), max(key), max(max(abs(x), abs(y))) FROM semantic_map('circle', NULL);
SELECT group_concat(key) FROM semantic_map('circle', 7);
SELECT key, x, y FROM semantic_map('circle', 1);
SELECT count(*) FROM semantic_map('circle', 1000000, 'main');
SELECT count(*) FROM semantic_map('circle', 5) WHERE x BETWEEN -1 AND 1 AND y BETWEEN -1 AND 1;

-- In whatever way rows are kept. Texts; keys that are no integers; rows that wait in a transaction.
CREATE TABLE letters(uuid TEXT NOT NULL UNIQUE, title TEXT);
INSERT INTO letters VALUES ('b7', 'the sleep of cats'), ('c2', 'why dogs bark'), ('d1', 'cats and dogs');
CREATE VIRTUAL TABLE ix USING semantic_index(
  content = 'letters', text = 'title', content_rowid = 'uuid', quantize = 'bit', partitions = 2
);
BEGIN;
INSERT INTO ix(ix) VALUES ('sync');
SELECT key, abs(x) <= 1, abs(y) <= 1 FROM semantic_map('ix');
COMMIT;
SELECT title FROM semantic_map('ix') JOIN letters ON uuid = key ORDER BY key;

-- Rows that the content has no more are left out.
DELETE FROM letters WHERE uuid = 'c2';
SELECT key FROM semantic_map('ix');
DELETE FROM letters;
SELECT key FROM semantic_map('ix');

-- NULL has no rows, and what is wrong is said.
SELECT * FROM semantic_map(NULL);
SELECT * FROM semantic_map();
SELECT * FROM semantic_map('nothing');
SELECT * FROM semantic_map('letters');
SELECT * FROM semantic_map('circle', 0);
SELECT * FROM semantic_map('circle', 1000001);
SELECT * FROM semantic_map('circle', 'all');
SELECT * FROM semantic_map('circle', 5, 'temp');
