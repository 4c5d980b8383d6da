-- flow_in_one_query.sql: the same in one query. Needs the table of load.sql with the embeddings of flow.sql.

.load build/rerank

WITH retrieved AS (
  SELECT id, title
    FROM movies
   ORDER BY cosine_sim(embedding, embed('super hero mystery action movie about bats', NULL, 'query')) DESC
   LIMIT 25
)
SELECT m.title, r.relevance_score
  FROM rerank('super hero mystery action movie about bats',
              (SELECT json_group_object(id, title) FROM retrieved), 5) AS r
  JOIN movies AS m ON m.id = r.key
 ORDER BY r.rank;
