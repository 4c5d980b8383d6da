-- load.sql: the films of a JSON file into an ordinary table.
-- From the repository root:  sqlite3 films.db < sql/load.sql
-- The published file of 1000 films, after `make dataset`: replace the name by datasets/movies-1000.json.

CREATE TABLE IF NOT EXISTS movies(
  id       INTEGER PRIMARY KEY,
  title    TEXT NOT NULL,
  overview TEXT,
  director TEXT,
  genres   TEXT,
  tagline  TEXT
);

INSERT INTO movies(title, overview, director, genres, tagline)
SELECT value ->> 'title', value ->> 'overview', value ->> 'director', value ->> 'genres', value ->> 'tagline'
  FROM json_each(readfile('datasets/movies.json'));
