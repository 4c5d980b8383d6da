-- Moving over from sqlite-vec and sqlite-rembed: vectors are taken as they are, nothing is embedded
-- again. sqlite-vec need not be there: a vec0 table keeps its vectors in ordinary tables, in float32
-- as ours are.
.load build/rerank
.read sql/load_movies.sql

-- For the sake of the example: the tables that this leaves behind, which in your file are there.
-- sqlite-vec puts 1,024 vectors one behind the other into a chunk; here each has a chunk of its own.
--     CREATE VIRTUAL TABLE vec_items USING vec0(embedding float[384]);
--     INSERT INTO vec_items(rowid, embedding) SELECT id, rembed('client', title) FROM movies;
CREATE TABLE vec_items_rowids(rowid INTEGER PRIMARY KEY, id, chunk_id INTEGER, chunk_offset INTEGER);
INSERT INTO vec_items_rowids SELECT id, NULL, id, 0 FROM movies;
CREATE TABLE vec_items_vector_chunks00(rowid INTEGER PRIMARY KEY, vectors BLOB NOT NULL);
INSERT INTO vec_items_vector_chunks00 SELECT id, embed(title) FROM movies;

-- The model is the one that made the vectors, as it makes those of queries: what rembed's client was
-- set up for, 'openai:text-embedding-3-small' for one. An index has one metric; cosine suits nearly all.
CREATE VIRTUAL TABLE item_index USING semantic_index(
  content = 'movies', text = 'title', model = 'builtin:static');

-- The move. 384 is the number in float[384]. Where sqlite-vec is loaded this does the same:
--     INSERT INTO item_index(rowid, embedding) SELECT rowid, embedding FROM vec_items;
INSERT INTO item_index(rowid, embedding)
SELECT r.rowid, substr(c.vectors, 1 + r.chunk_offset * 4 * 384, 4 * 384)
  FROM vec_items_rowids AS r
  JOIN vec_items_vector_chunks00 AS c ON c.rowid = r.chunk_id;

-- A sync finds nothing to embed. From now on it embeds what is new or changed.
INSERT INTO item_index(item_index) VALUES ('sync');
SELECT embedded, pending, total FROM semantic_progress;

-- What was   WHERE embedding MATCH rembed('client', 'toys') AND k = 3 ORDER BY distance   is this.
-- rembed('client', x) is embed(x, 'openai:text-embedding-3-small'), vec_distance_l2 l2_distance,
-- vec_distance_cosine(a, b) 1 - cosine_sim(a, b), vec_to_json vector_to_json, vec_length vector_dims.
SELECT title, round(distance, 3) AS distance FROM item_index('toys', 3) ORDER BY distance;
