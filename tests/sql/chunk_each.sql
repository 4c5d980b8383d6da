-- chunk_each(text [, max_tokens [, overlap [, model]]])
SELECT rerank_config('embed_model', 'builtin:lexical');
CREATE TABLE documents(id INTEGER PRIMARY KEY, body TEXT);
INSERT INTO documents(body) VALUES
  ('One two three. Four five six seven. Eight nine.' || char(10, 10) || 'Ten eleven. Twelve thirteen fourteen fifteen sixteen.'),
  (NULL), (''), ('  ' || char(10, 9, 160)), (' short '),
  ('Dr. Who met J. R. Tolkien at 3.14 p.m. in the U.S. Then he left.');
SELECT n, start, replace(text, char(10), '/') FROM chunk_each((SELECT body FROM documents WHERE id = 1));
SELECT n, start, replace(text, char(10), '/') FROM chunk_each((SELECT body FROM documents WHERE id = 1), 8);
SELECT n, start, replace(text, char(10), '/') FROM chunk_each((SELECT body FROM documents WHERE id = 1), 6, 3);
SELECT d.id, c.n, c.start, c.text FROM documents AS d, chunk_each(d.body, 9) AS c WHERE d.id > 1;
SELECT n, text FROM chunk_each('One two. Three four. Five six.', 2);
-- One word that is too long, and a character is never cut.
SELECT n, start, length(text), substr(text, 1, 3) FROM chunk_each('word ' || replace(hex(zeroblob(100)), '00', char(233)), 2);
SELECT text FROM chunk_each(char(0x4E00, 0x3002, 0x4E8C, 0x4E09, 0xFF0C, 0x56DB, 0x3002), 2);
-- start is where substr() finds it; all but white space is in some piece; no piece is over.
WITH long(body) AS (SELECT group_concat('Sentence number ' || value || ' is ' || char(233, 0x1F987) || ' here.', iif(value % 7 = 0, char(10, 10), ' '))
                      FROM json_each('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]'))
SELECT count(*), min(c.text = substr(body, c.start, length(c.text))), max(token_count(c.text)), sum(token_count(c.text)) = token_count(body), min(n), max(n)
  FROM long, chunk_each(body, 20) AS c;
WITH long(body) AS (SELECT group_concat('Sentence number ' || value || ' is here.', ' ') FROM json_each('[1,2,3,4,5,6,7,8,9,10,11,12]'))
SELECT c.n, c.start, c.text, c.text = substr(body, c.start, length(c.text)) FROM long, chunk_each(body, 16, 6) AS c;
-- Arguments: NULL is the default; read back; by name; in order without a sort.
SELECT count(*) FROM chunk_each('one two three', NULL, NULL, NULL);
SELECT document, max_tokens, overlap, model FROM chunk_each('one', 5, 1, 'builtin:lexical');
SELECT text FROM chunk_each WHERE document = 'one two three' AND max_tokens = 2;
SELECT n, text FROM chunk_each(42);
SELECT count(*) FROM (SELECT * FROM chunk_each((SELECT group_concat(body, ' ') FROM documents), 1) LIMIT 3);
EXPLAIN QUERY PLAN SELECT text FROM chunk_each('one', 2) ORDER BY n;
SELECT text FROM chunk_each('one two three', 1) ORDER BY start DESC;
SELECT count(*) FROM chunk_each(NULL), chunk_each('one');
SELECT count(*) FROM chunk_each(NULL, 0, -1, 'nope');
-- Pieces into an index.
CREATE TABLE chunks(id INTEGER PRIMARY KEY, document INTEGER, n INTEGER, text TEXT);
INSERT INTO chunks(document, n, text) SELECT d.id, c.n, c.text FROM documents AS d, chunk_each(d.body, 6) AS c;
SELECT * FROM chunks;
-- In views and triggers, too.
CREATE VIEW pieces AS SELECT d.id, c.n, c.text FROM documents AS d, chunk_each(d.body, 8) AS c;
SELECT count(*) FROM pieces;
CREATE TRIGGER documents_insert AFTER INSERT ON documents BEGIN
  INSERT INTO chunks(document, n, text) SELECT new.id, n, text FROM chunk_each(new.body, 2);
END;
INSERT INTO documents(id, body) VALUES (9, 'one two three');
SELECT document, n, text FROM chunks WHERE document = 9;
-- What is refused.
SELECT * FROM chunk_each();
SELECT * FROM chunk_each;
SELECT * FROM chunk_each(x'61');
SELECT * FROM chunk_each(CAST(x'ff' AS TEXT));
SELECT * FROM chunk_each('a', 0);
SELECT * FROM chunk_each('a', -1);
SELECT * FROM chunk_each('a', 'many');
SELECT * FROM chunk_each('a', 2.5);
SELECT * FROM chunk_each('a', x'00');
SELECT * FROM chunk_each('a', 5, 5);
SELECT * FROM chunk_each('a', 5, -1);
SELECT * FROM chunk_each('a', NULL, 256);
SELECT * FROM chunk_each('a', 5, 1, 'nope');
SELECT * FROM chunk_each('a', 5, 1, 'local:no name');
SELECT * FROM chunk_each('a', 5, 1, 'openai:text-embedding-3-small');
SELECT * FROM chunk_each('a', 5, 1, NULL, 1);
