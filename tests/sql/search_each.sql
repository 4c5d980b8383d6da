-- semantic_search_each: many queries in one pass; semantic_recall: how good the searches are.
CREATE VIRTUAL TABLE v USING semantic_index(dimensions = 2);
INSERT INTO v(rowid, embedding) VALUES (1, '[1, 0]'), (2, '[0, 1]'), (3, '[1, 1]'), (-4, '[-1, 0]');

-- Texts that are vectors, in an array and in an object; null has no rows; ties in order of rowid.
SELECT key, rank, id, round(similarity, 4), round(distance, 4)
  FROM semantic_search_each('v', '["[1, 0]", null, "[0, 2]"]', 2);
SELECT key, id FROM semantic_search_each('v', '[[1, 0], [-3, 0]]', 1);
SELECT key, id FROM semantic_search_each('v', '{"east": "[1, 0]", "west": "[-3, 0]"}', 1);

-- Vectors as a BLOB, one behind the other.
SELECT key, id, rank FROM semantic_search_each('v', x'0000803f000000000000000000000040', 1);

-- k is 25 without a value; more than there are gives all.
SELECT count(*) FROM semantic_search_each('v', '["[1, 0]"]');
SELECT count(*) FROM semantic_search_each('v', '["[1, 0]"]', 1000000000000);
SELECT count(*) FROM semantic_search_each('v', '["[1, 0]"]', NULL, 'main');
SELECT count(*) FROM semantic_search_each('v', '[]', 3);
SELECT count(*) FROM semantic_search_each('v', NULL, 3);
SELECT count(*) FROM semantic_search_each(NULL, '["[1, 0]"]', 3);

-- Texts are embedded with role query, as the index does.
CREATE VIRTUAL TABLE notes USING semantic_index(quantize = 'int8');
INSERT INTO notes(rowid, text) VALUES (1, 'the cat sleeps'), (2, 'dogs bark at night');
SELECT q.key, n.text FROM semantic_search_each('notes', '["barking dogs", "a sleeping cat"]', 1) AS q
  JOIN notes AS n ON n.rowid = q.id ORDER BY q.key;
SELECT e.id = n.rowid, e.similarity = n.similarity
  FROM semantic_search_each('notes', '["barking dogs"]', 1) AS e, notes('barking dogs', 1) AS n;

-- What is wrong is said.
SELECT * FROM semantic_search_each('v');
SELECT * FROM semantic_search_each('nothing', '["[1, 0]"]');
SELECT * FROM semantic_search_each('v', '["[1, 0]", "[1, 0, 0]"]');
SELECT * FROM semantic_search_each('v', '["[0, 0]"]');
SELECT * FROM semantic_search_each('v', '[""]');
SELECT * FROM semantic_search_each('v', 'no list');
SELECT * FROM semantic_search_each('v', x'000080');
SELECT * FROM semantic_search_each('v', x'0000803f0000c07f');
SELECT * FROM semantic_search_each('v', '["[1, 0]"]', 0);
SELECT * FROM semantic_search_each('v', '["[1, 0]"]', 'many');

-- Recall of an exact index is 1; k, queries, recall, scanned, rescored, rows, partitions.
SELECT * FROM semantic_recall('v', 2, 3);
SELECT * FROM semantic_recall('notes');
CREATE VIRTUAL TABLE empty USING semantic_index();
SELECT * FROM semantic_recall('empty');
CREATE VIRTUAL TABLE parted USING semantic_index(dimensions = 2, partitions = 4, quantize = 'bit');
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000)
INSERT INTO parted(rowid, embedding) SELECT i, vector(json_array(cos(i * 0.1), sin(i * 0.1))) FROM c;
SELECT k, queries, recall >= 0.95, rows, partitions FROM semantic_recall('parted', 5, 20);
SELECT * FROM semantic_recall('v', 0);
SELECT * FROM semantic_recall('v', 2, 'all');
SELECT * FROM semantic_recall();

-- The option partitions.
CREATE VIRTUAL TABLE wrong USING semantic_index(partitions = 'some');
CREATE VIRTUAL TABLE wrong USING semantic_index(partitions = 0);

-- Bits of two BLOBs that differ.
SELECT hamming_distance(x'ff00', x'0f01'), hamming_distance(x'', x''), hamming_distance(NULL, x'00');
SELECT hamming_distance(x'ff', x'ffff');
SELECT hamming_distance('ff', x'ff');
