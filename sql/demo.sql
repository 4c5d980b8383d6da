-- `make demo`: retrieve, then rerank, on real movies, and how long each step takes. Offline with the
-- embedded model; with others: make demo EMBED=provider:model RERANK=provider:model.
.bail on
.load build/rerank

CREATE TEMP TABLE clock(n INTEGER PRIMARY KEY, step TEXT, at REAL DEFAULT (julianday('now')));
CREATE TEMP TABLE question(text TEXT);
INSERT INTO question VALUES ('super hero mystery action movie about bats');

INSERT INTO clock(step) VALUES ('start');
.read sql/load_movies.sql
INSERT INTO clock(step) VALUES ('load the movies from JSON');

CREATE VIRTUAL TABLE movie_index USING semantic_index(
  content  = 'movies',
  text     = 'title, overview, tagline',
  document = 'title'
);
INSERT INTO movie_index(movie_index) VALUES ('sync');
SELECT printf('%d of %d embedded, %d requests, %.1f s', embedded, total, requests, seconds)
  FROM semantic_progress;
INSERT INTO clock(step) VALUES ('embed every movie');

CREATE TEMP TABLE retrieved AS
SELECT rank AS place, rowid AS id, title, similarity
  FROM movie_index((SELECT text FROM question), 25)
 ORDER BY rank;
INSERT INTO clock(step) VALUES ('retrieve the 25 best');

CREATE TEMP TABLE reranked AS
SELECT row_number() OVER () AS place, id, title, relevance
  FROM (SELECT rowid AS id, title, relevance
          FROM movie_index((SELECT text FROM question))
         ORDER BY relevance DESC
         LIMIT 5);
INSERT INTO clock(step) VALUES ('retrieve 25 and rerank them to 5, in one query');

.print
SELECT 'Query: ' || text FROM question;
SELECT 'Models: ' || rerank_config('embed_model') || ' to retrieve, ' || rerank_config('rerank_model')
       || ' to rerank';
.print
.print Retrieved: the 25 best movies
.mode box
SELECT place AS "#", title, printf('%.3f', similarity) AS similarity FROM retrieved ORDER BY place;
.mode list
.print
.print Reranked: the five most relevant of them, by title
.mode box
SELECT n.place AS "#", n.title, printf('%.3f', n.relevance) AS relevance,
       CASE
         WHEN o.place > n.place THEN 'up ' || (o.place - n.place) || ', was ' || o.place
         WHEN o.place < n.place THEN 'down ' || (n.place - o.place) || ', was ' || o.place
         ELSE 'stays'
       END AS moved
  FROM reranked AS n
  JOIN retrieved AS o ON o.id = n.id
 ORDER BY n.place;
.mode list
.print
.mode box
SELECT step, printf('%.3f', (at - lag(at) OVER (ORDER BY n)) * 86400) AS seconds
  FROM clock
 ORDER BY n
 LIMIT -1 OFFSET 1;
