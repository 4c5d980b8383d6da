-- Loads the movies from JSON into an ordinary table.
--
-- datasets/movies-1000.json (`make dataset` fetches it) when it is there, else the films that come
-- with this repository. Run the recipes from the repository's root, after `make`:
--     sqlite3 :memory: '.read sql/load_movies.sql'

CREATE TABLE movies(
  id       INTEGER PRIMARY KEY,
  title    TEXT NOT NULL,
  overview TEXT,
  director TEXT,
  genres   TEXT,
  tagline  TEXT
);

INSERT INTO movies(title, overview, director, genres, tagline)
SELECT value ->> 'title', value ->> 'overview', value ->> 'director', value ->> 'genres',
       value ->> 'tagline'
  FROM json_each(coalesce(readfile('datasets/movies-1000.json'), readfile('datasets/movies.json')))
 ORDER BY key;

SELECT count(*) || ' movies loaded' FROM movies;
