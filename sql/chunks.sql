-- Documents longer than a model reads: cut into pieces, the pieces indexed, documents ranked by their
-- best piece.
--
-- The embedded model reads texts of any length; that a piece is found still says better where the answer
-- is. A model that runs on this machine reads some hundreds of tokens: name it in both places,
-- chunk_each(body, NULL, 20, 'local:owner/name') and model = 'local:owner/name'. With NULL for
-- max_tokens pieces are as long as it reads.
.load build/rerank
.read sql/load_movies.sql

-- Long documents, for the sake of the example: all films of a director, a paragraph each.
CREATE TABLE documents(id INTEGER PRIMARY KEY, title TEXT, body TEXT);
INSERT INTO documents(title, body)
SELECT director, group_concat(title || '. ' || overview, char(10) || char(10))
  FROM movies
 GROUP BY director
HAVING count(*) > 1;

-- The pieces: of at most 60 tokens, of which each shares about 15 with the one before.
CREATE TABLE chunks(
  id       INTEGER PRIMARY KEY,
  document INTEGER NOT NULL REFERENCES documents(id),
  n        INTEGER NOT NULL,  -- 0, 1, 2...
  start    INTEGER NOT NULL,  -- the piece is substr(body, start, length(text))
  text     TEXT NOT NULL
);
INSERT INTO chunks(document, n, start, text)
SELECT d.id, c.n, c.start, c.text
  FROM documents AS d, chunk_each(d.body, 60, 15) AS c
 ORDER BY d.id, c.n;

CREATE VIRTUAL TABLE chunk_index USING semantic_index(content = 'chunks', text = 'text');
INSERT INTO chunk_index(chunk_index) VALUES ('sync');
SELECT embedded, deleted FROM semantic_progress;

-- Of the 50 best pieces the best of each document: SQLite takes the other columns from the row of the
-- max(). relevance in place of score reranks the pieces; by a model that is named it is similarity.
SELECT d.title, round(max(s.score), 3) AS score,
       replace(c.text, char(10), ' ') AS text
  FROM chunk_index('a criminal family and its bloody business', 50) AS s
  JOIN chunks AS c ON c.id = s.rowid
  JOIN documents AS d ON d.id = c.document
 GROUP BY d.id
 ORDER BY max(s.score) DESC
 LIMIT 3;

-- A document that has changed: its pieces are made anew, and the next sync embeds no others.
UPDATE documents SET body = body || char(10, 10) || 'And one film more.' WHERE id = 1;
DELETE FROM chunks WHERE document = 1;
INSERT INTO chunks(document, n, start, text)
SELECT d.id, c.n, c.start, c.text
  FROM documents AS d, chunk_each(d.body, 60, 15) AS c
 WHERE d.id = 1
 ORDER BY c.n;
INSERT INTO chunk_index(chunk_index) VALUES ('sync');
SELECT embedded, deleted FROM semantic_progress;
