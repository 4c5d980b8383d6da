-- More like this row: its own vector is the query, so that nothing is embedded.
.load build/rerank
.read sql/load_movies.sql

CREATE VIRTUAL TABLE movie_index USING semantic_index(
  content = 'movies', text = 'title, overview, tagline', document = 'title');
INSERT INTO movie_index(movie_index) VALUES ('sync');

-- The condition, which leaves out the film itself, is applied before the 5 nearest are taken.
SELECT title, round(similarity, 3) AS similarity
  FROM movie_index((SELECT embedding FROM movie_index WHERE title = 'Batman Begins'), 5)
 WHERE title <> 'Batman Begins'
 ORDER BY movie_index.rank;

-- Like several rows: the mean of their vectors.
SELECT title
  FROM movie_index((SELECT vector_avg(embedding) FROM movie_index
                     WHERE title IN ('Batman Begins', 'Toy Story')), 5)
 WHERE title <> 'Batman Begins' AND title <> 'Toy Story'
 ORDER BY movie_index.rank;
