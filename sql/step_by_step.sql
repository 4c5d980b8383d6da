-- Retrieve, then rerank, step by step on a plain table: every step is a query to look at.
.load build/rerank
.read sql/load_movies.sql

-- 1. One vector per movie, from its title, overview and tagline. embed_each() takes all texts at
--    once and sends them to the model in few large batches; its key is the movie's id.
ALTER TABLE movies ADD COLUMN embedding BLOB;

UPDATE movies
   SET embedding = e.embedding
  FROM embed_each((SELECT json_group_object(id, concat)
                     FROM (SELECT id, title || ' ' || coalesce(overview, '') || ' ' ||
                                  coalesce(tagline, '') AS concat
                             FROM movies))) AS e
 WHERE movies.id = e.key;

-- 2. Retrieve: the 25 movies nearest to the query.
CREATE TEMP TABLE retrieved AS
SELECT id, title,
       cosine_sim(embedding, embed('super hero mystery action movie about bats', NULL, 'query'))
         AS similarity
  FROM movies
 ORDER BY similarity DESC
 LIMIT 25;

SELECT title, round(similarity, 3) AS similarity FROM retrieved ORDER BY retrieved.similarity DESC;

-- 3. Rerank: one call reads the query beside all 25 titles and keeps the best five.
SELECT r.rank, t.title, round(r.relevance_score, 3) AS relevance
  FROM rerank('super hero mystery action movie about bats',
              (SELECT json_group_object(id, title) FROM retrieved), 5) AS r
  JOIN retrieved AS t ON t.id = r.key
 ORDER BY r.rank;
