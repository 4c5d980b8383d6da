-- Vectors kept as halves: what comes back, what a search finds, what is refused.
CREATE VIRTUAL TABLE a USING semantic_index(dimensions=4, storage='float16');
SELECT value FROM a_config WHERE key = 'format';
INSERT INTO a(rowid, embedding) VALUES (1, '[1,2,3,4]'), (2, '[4,3,2,1]'), (3, '[0,0,-10,0]'), (4, '[1,2,3,4.2]');
SELECT rowid, round(similarity, 3), round(distance, 3) FROM a('[1,2,3,4]', 4);
SELECT rowid, length(embedding), vector_to_json(embedding) FROM a;
SELECT max(abs(similarity - cosine_sim(embedding, '[3,-1,2,5]'))) < 1e-6 FROM a('[3,-1,2,5]', 9);
SELECT length(bytes) / (n + room), n FROM a_data JOIN a_blocks USING (block);
INSERT INTO a(a) VALUES ('optimize');
INSERT INTO a(a) VALUES ('integrity-check');
INSERT INTO a(rowid, embedding) VALUES (5, '[65505,0,0,0]');
INSERT INTO a(rowid, embedding) VALUES (5, '[0.00006,0,0,0]');
INSERT INTO a(rowid, embedding) VALUES (5, '[0,0,0,0]');
SELECT rows, vector_bytes, code_bytes, problem FROM semantic_status('a');
UPDATE a_data SET bytes = substr(bytes, 1, 128) || x'007c' || substr(bytes, 131);
INSERT INTO a(a) VALUES ('integrity-check');
SELECT embedding FROM a WHERE rowid = 1;

-- Beside codes, by another metric.
CREATE VIRTUAL TABLE b USING semantic_index(dimensions=3, metric=l2, quantize=bit, storage=float16);
INSERT INTO b(rowid, embedding) VALUES (1, '[1,2,3]'), (2, '[0,0,0]'), (3, '[3,3,4]');
SELECT rowid, round(distance, 3) FROM b('[3, 3, 3]', 3);
SELECT max(length(vector)), count(*) FROM b_vectors;
INSERT INTO b(b) VALUES ('integrity-check');
DROP TABLE a;
DROP TABLE b;
