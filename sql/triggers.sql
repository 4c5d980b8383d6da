-- Triggers that keep the index in step with its table: no sync after each change.
-- (PRAGMA trusted_schema=OFF forbids this; then sync instead.)
.load build/rerank
.read sql/load_movies.sql

CREATE VIRTUAL TABLE movie_index USING semantic_index(
  content = 'movies', text = 'title, overview, tagline', document = 'title');
INSERT INTO movie_index(movie_index) VALUES ('sync');

CREATE TRIGGER movies_insert AFTER INSERT ON movies BEGIN
  INSERT INTO movie_index(rowid) VALUES (new.id);
END;

-- Inserting a rowid that is there embeds it again if its text changed.
CREATE TRIGGER movies_update AFTER UPDATE OF title, overview, tagline ON movies BEGIN
  INSERT INTO movie_index(rowid) VALUES (new.id);
END;

CREATE TRIGGER movies_delete AFTER DELETE ON movies BEGIN
  DELETE FROM movie_index WHERE rowid = old.id;
END;

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
