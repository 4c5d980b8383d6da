-- Search logic as views: the application asks `WHERE query = ...` and knows nothing of vectors.
.load build/rerank
.read sql/load_movies.sql

CREATE VIRTUAL TABLE movie_index USING semantic_index(
  content = 'movies', text = 'title, overview, tagline', document = 'title');
INSERT INTO movie_index(movie_index) VALUES ('sync');

-- The hidden columns query and k reach the index through the view.
CREATE VIEW movie_search AS
SELECT s.query, s.k, m.*, s.rank, s.relevance
  FROM movie_index AS s
  JOIN movies AS m ON m.id = s.rowid;

SELECT title, director FROM movie_search WHERE query = 'bats' ORDER BY relevance DESC LIMIT 5;

-- Many queries at once: a join against a table of questions.
CREATE TEMP TABLE questions(question TEXT);
INSERT INTO questions VALUES ('a heist goes wrong'), ('lost in space'), ('young wizard at school');

SELECT q.question, s.title
  FROM questions AS q
  JOIN movie_search AS s ON s.query = q.question AND s.k = 3
 ORDER BY q.rowid, s.rank;

-- A place within each query: PARTITION BY query lets SQLite hand the query down to the index.
CREATE VIEW movie_places AS
SELECT query, title, row_number() OVER (PARTITION BY query ORDER BY rank) AS place
  FROM movie_search;

SELECT place, title FROM movie_places WHERE query = 'lost in space' AND place <= 3;
