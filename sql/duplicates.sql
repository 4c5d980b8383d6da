-- Semantic deduplication: rows that say the same in other words, found and removed.
.load build/rerank
.read sql/load_movies.sql

-- For the sake of the example: what a second import might bring.
INSERT INTO movies(title, overview) VALUES
  ('Lost on Mars', 'An astronaut is left behind alone on Mars and must survive until a rescue.'),
  ('Left on Mars', 'Left behind alone on Mars, an astronaut must survive until he is rescued.'),
  ('Alone on Mars', 'An astronaut survives alone on Mars, left behind, until the rescue.');

CREATE VIRTUAL TABLE movie_index USING semantic_index(content = 'movies', text = 'overview');
INSERT INTO movie_index(movie_index) VALUES ('sync');

-- Each row is a query, by its own vector and in one pass; of its 5 nearest, which it is one of, those
-- count that are almost equal. Most pairs come twice, once from each side: this keeps one. How similar
-- equal rows are depends on the model: look at the pairs around the bound before you delete by it.
CREATE TEMP TABLE pairs AS
SELECT min(q.id, e.id) AS id, max(q.id, e.id) AS twin, e.similarity
  FROM semantic_search_each('movie_index',
         (SELECT json_group_object(rowid, vector_to_json(embedding)) FROM movie_index), 5) AS e
  JOIN movies AS q ON q.id = e.key
 WHERE e.similarity >= 0.85 AND e.id <> q.id
 GROUP BY 1, 2;

SELECT a.title, b.title, round(p.similarity, 2) AS similarity
  FROM pairs AS p
  JOIN movies AS a ON a.id = p.id
  JOIN movies AS b ON b.id = p.twin
 ORDER BY p.similarity DESC, p.id, p.twin;

-- Of each group the row with the lowest id stays. Of a large one, whose rows are not all among each
-- other's 5 nearest, more may: what stays is found by the next run.
DELETE FROM movies WHERE id IN (SELECT twin FROM pairs);
INSERT INTO movie_index(movie_index) VALUES ('sync');
SELECT deleted || ' duplicates deleted' FROM semantic_progress;
