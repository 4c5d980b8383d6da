-- flow.sql: retrieve, then rerank, step by step on a plain table. Needs the table of load.sql.

.load build/rerank

-- 1. Embed title, overview and tagline of every film: few large batches, joined back by the key.
ALTER TABLE movies ADD COLUMN embedding BLOB;

UPDATE movies
   SET embedding = e.embedding
  FROM embed_each((SELECT json_group_object(id, trim(title || ' ' || coalesce(overview, '') || ' ' || coalesce(tagline, '')))
                     FROM movies)) AS e
 WHERE movies.id = e.key;

-- 2. The 25 nearest to the query by cosine similarity. The constant embed(...) is computed once.
CREATE TEMP TABLE retrieved AS
SELECT id, title, cosine_sim(embedding, embed('super hero mystery action movie about bats', NULL, 'query')) AS similarity
  FROM movies
 ORDER BY similarity DESC
 LIMIT 25;

-- 3. A reranker reads the 25 titles against the query, in one call; the best 5 stay.
SELECT m.title, r.relevance_score
  FROM rerank('super hero mystery action movie about bats',
              (SELECT json_group_object(id, title) FROM retrieved), 5) AS r
  JOIN movies AS m ON m.id = r.key
 ORDER BY r.rank;
