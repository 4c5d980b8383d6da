-- Hybrid search: what words find, what vectors find, and both in one ranking, side by side.
.load build/rerank
.read sql/load_movies.sql

CREATE VIRTUAL TABLE movie_index USING semantic_index(
  content = 'movies', text = 'title, overview, tagline', document = 'title');
INSERT INTO movie_index(movie_index) VALUES ('sync');

-- The same question by three weights: 0 asks the words alone, 1 the vectors alone, and between them
-- lies what the index does by itself.
CREATE TEMP TABLE found AS
WITH weights(weight) AS (VALUES (0.0), (0.3), (1.0))
SELECT w.weight, s.rowid AS id, s.rank, s.bm25, s.similarity, s.score
  FROM weights AS w
  JOIN movie_index AS s
    ON s.query = 'a shark attacks swimmers' AND s.k = 5 AND s.weight = w.weight;

SELECT m.title,
       max(CASE WHEN weight = 0.0 THEN rank END) AS by_words,
       max(CASE WHEN weight = 1.0 THEN rank END) AS by_vectors,
       max(CASE WHEN weight = 0.3 THEN rank END) AS by_both
  FROM found JOIN movies AS m USING (id)
 GROUP BY id
 ORDER BY by_both IS NULL, by_both, by_words IS NULL, by_words, by_vectors;

-- Why a row is where it is: score is made of bm25 and similarity.
SELECT m.title, round(f.score, 3) AS score, round(f.bm25, 2) AS bm25, round(f.similarity, 3) AS similarity
  FROM found AS f JOIN movies AS m USING (id)
 WHERE f.weight = 0.3
 ORDER BY f.rank;
