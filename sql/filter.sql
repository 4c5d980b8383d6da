-- filter.sql: only films of a genre. Needs the index of semantic_index.sql.
-- rowid IN (...) applies before the k: ten rows come back whenever ten animated films exist. A filter on a joined table
-- would apply after the k.

.load build/rerank

SELECT title, similarity
  FROM movie_index
 WHERE query = 'super hero mystery action movie about bats'
   AND k = 10
   AND rowid IN (SELECT id FROM movies WHERE genres LIKE '%Animation%')
 ORDER BY similarity DESC;
