-- Many queries in one pass over the index: what goes with each film, by the film's own vector.
.load build/rerank
.read sql/load_movies.sql

CREATE VIRTUAL TABLE movie_index USING semantic_index(
  content = 'movies', text = 'title, overview, tagline', document = 'title');
INSERT INTO movie_index(movie_index) VALUES ('sync');

-- A join asks the index once for each question; semantic_search_each asks it once for all.
SELECT e.key AS question, m.title, round(e.similarity, 3) AS similarity
  FROM semantic_search_each('movie_index',
         json_object('space', 'lost in space', 'heist', 'a heist goes wrong'), 3) AS e
  JOIN movies AS m ON m.id = e.id
 ORDER BY question, e.rank;

-- The vectors that the index holds are queries too: the nearest other film of the first three.
WITH few AS (SELECT rowid AS id, vector_to_json(embedding) AS query FROM movie_index
              WHERE rowid IN (SELECT id FROM movies ORDER BY id LIMIT 3))
SELECT a.title, b.title AS nearest
  FROM semantic_search_each('movie_index', (SELECT json_group_object(id, query) FROM few), 2) AS e
  JOIN movies AS a ON a.id = e.key
  JOIN movies AS b ON b.id = e.id
 WHERE a.id <> b.id
 ORDER BY a.id;
