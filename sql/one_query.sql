-- The same flow in one query on a plain table with an embedding column.
.load build/rerank
.read sql/load_movies.sql

ALTER TABLE movies ADD COLUMN embedding BLOB;
UPDATE movies
   SET embedding = embed(title || ' ' || coalesce(overview, '') || ' ' || coalesce(tagline, ''));

WITH question(text) AS (
  VALUES ('super hero mystery action movie about bats')
),
retrieved AS MATERIALIZED (
  SELECT id, title, cosine_sim(embedding, (SELECT embed(text, NULL, 'query') FROM question)) AS similarity
    FROM movies
   ORDER BY similarity DESC
   LIMIT 25
)
SELECT r.rank, t.title, round(t.similarity, 3) AS similarity, round(r.relevance_score, 3) AS relevance
  FROM rerank((SELECT text FROM question), (SELECT json_group_object(id, title) FROM retrieved), 5) AS r
  JOIN retrieved AS t ON t.id = r.key
 ORDER BY r.rank;
