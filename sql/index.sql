-- The same flow with semantic_index: the table embeds, searches and reranks.
.load build/rerank
.read sql/load_movies.sql

CREATE VIRTUAL TABLE movie_index USING semantic_index(
  content  = 'movies',                    -- where the rows are
  text     = 'title, overview, tagline',  -- what is embedded
  document = 'title'                      -- what the reranker reads
);

-- Embeds what is new or changed; run it again at any time.
INSERT INTO movie_index(movie_index) VALUES ('sync');
SELECT embedded, deleted, pending, total FROM semantic_progress;

-- Retrieve 25 and keep the five most relevant.
SELECT title, round(similarity, 3) AS similarity, round(relevance, 3) AS relevance
  FROM movie_index('super hero mystery action movie about bats')
 ORDER BY movie_index.relevance DESC
 LIMIT 5;

-- Retrieval alone, three ways to ask.
SELECT title FROM movie_index('toys that come to life', 3) ORDER BY rank;
SELECT title FROM movie_index WHERE movie_index MATCH 'toys that come to life' AND k = 3;
SELECT title FROM movie_index WHERE query = 'toys that come to life' AND similarity >= 0.05 LIMIT 3;

-- More like this: a stored vector is a query, too.
SELECT title
  FROM movie_index((SELECT embedding FROM movie_index WHERE title = 'Batman Begins'), 4);
