-- An index that follows its table: no sync after each change. sql/README.md has the triggers that
-- upkeep = 'triggers' makes.
.load build/rerank
.read sql/load_movies.sql

CREATE VIRTUAL TABLE movie_index USING semantic_index(
  content = 'movies', text = 'title, overview, tagline', document = 'title',
  upkeep = 'triggers');
INSERT INTO movie_index(movie_index) VALUES ('sync');

-- Rows of one transaction are embedded together, in batches.
BEGIN;
INSERT INTO movies(title, overview) VALUES
  ('The Lighthouse Piano', 'A retired sailor teaches a girl to play the piano in a lighthouse.'),
  ('Glacier Kitchen', 'Two cooks open a restaurant on a melting glacier.');
UPDATE movies SET overview = 'A chess champion hides a winning lottery ticket in a piano.'
 WHERE title = 'The Lighthouse Piano';
DELETE FROM movies WHERE title = 'Glacier Kitchen';
COMMIT;

SELECT title FROM movie_index('chess champion with a lottery ticket', 1);
SELECT count(*) FROM movie_index WHERE title = 'Glacier Kitchen';
INSERT INTO movie_index(movie_index) VALUES ('integrity-check');
