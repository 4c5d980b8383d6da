-- A filter before the search: of the animated films alone, the ten nearest, best first.
.load build/rerank
.read sql/load_movies.sql

CREATE VIRTUAL TABLE movie_index USING semantic_index(
  content = 'movies', text = 'title, overview, tagline', document = 'title');
INSERT INTO movie_index(movie_index) VALUES ('sync');

-- Conditions are applied before the k nearest are taken: ten rows come back if ten qualify.
SELECT title, genres, round(similarity, 3) AS similarity
  FROM movie_index('a hero saves the city', 10)
 WHERE genres LIKE '%Animation%'
 ORDER BY movie_index.rank;

-- A condition on a joined table is applied after the k: of the ten nearest, those by one director.
SELECT m.title, m.director
  FROM movie_index('a hero saves the city', 10) AS s
  JOIN movies AS m ON m.id = s.rowid
 WHERE m.director = 'Christopher Nolan';
