-- semantic_index.sql: the same flow with an index that keeps the vectors. Needs the table of load.sql.

.load build/rerank

CREATE VIRTUAL TABLE movie_index USING semantic_index(
  content  = 'movies',
  text     = 'title, overview, tagline',
  document = 'title'
);

SELECT embedded, pending, total FROM semantic_sync('movie_index');

SELECT title, similarity, relevance
  FROM movie_index('super hero mystery action movie about bats')
 ORDER BY relevance DESC
 LIMIT 5;
