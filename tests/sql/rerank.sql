-- rerank(query, document [, model]): one document's score.
SELECT typeof(rerank('bats', 'bats fly at night')), rerank('bats', 'bats fly at night') > rerank('bats', 'tax law');
SELECT rerank(NULL, 'a'), rerank('a', NULL), rerank('a', NULL, 'builtin:lexical');
SELECT rerank('a cat', 'a cat', NULL) = rerank('a cat', 'a cat', 'builtin:lexical');
SELECT rerank('cat', ''), rerank('cat', char(12288, 10)), rerank('42', 42) = rerank(42, '42');
SELECT rerank('', 'a');
SELECT rerank('a', x'61');
SELECT rerank(x'61', 'a');
SELECT rerank('a', CAST(x'61ff' AS TEXT));
SELECT rerank('a', 'b', 'nope');
SELECT rerank('a');
-- The table rerank(query, documents [, top_n [, model]]): best first.
SELECT rank, key, document FROM rerank('cat on a mat', '["dogs bark", "the cat sat on the mat", "a cat"]');
SELECT rank, key, document FROM rerank('cat on a mat', '{"x": "dogs bark", "7": "the cat sat on the mat"}', 1);
SELECT rank, typeof(key), typeof(relevance_score) FROM rerank('cat', '["a cat"]');
SELECT group_concat(key) FROM (SELECT key FROM rerank('cat', '["same", "same", "same"]'));
SELECT key FROM rerank('cat', '["a cat", "dogs"]', 1, 'builtin:lexical');
SELECT count(*) FROM rerank('cat', '["a", "b", "c"]', NULL);
SELECT count(*) FROM rerank('cat', '["a", "b", "c"]', NULL, NULL);
SELECT count(*) FROM rerank('cat', '["a", "b", "c"]', 0);
SELECT count(*) FROM rerank('cat', '["a", "b", "c"]', 2);
SELECT count(*) FROM rerank('cat', '["a", "b", "c"]', '2');
SELECT count(*) FROM rerank('cat', '["a", "b", "c"]', 9223372036854775807);
SELECT count(*) FROM rerank('cat', '[]');
SELECT count(*) FROM rerank(NULL, '["a"]');
SELECT count(*) FROM rerank('cat', NULL);
SELECT key, document FROM rerank('42', '["a", null, 42, ""]') ORDER BY key;
-- A document that cannot be read has no score, and comes last.
SELECT rank, key, relevance_score IS NULL FROM rerank('cat', '["", "dogs", " \n\u3000", "a cat"]');
SELECT rank, key, relevance_score IS NULL FROM rerank('cat', CAST(x'5b2261ff222c226120636174222c22225d' AS TEXT));
SELECT key, relevance_score IS NULL FROM rerank('cat', '["", "dogs", "a cat"]', 2);
SELECT key, relevance_score FROM rerank('cat', '["", " "]');
SELECT key, relevance_score IS NULL FROM rerank('cat', '[{"t": ""}, {"t": "a cat"}]');
SELECT key, relevance_score IS NULL, hex(document) FROM rerank('cat', '["a\u0000b", "a cat", "\u000e"]');
SELECT key, relevance_score IS NULL, document FROM rerank('cat', '[{"t": "a\u0000b"}, {"t": "a cat"}]');
SELECT count(*) FROM rerank('cat', '["", "dogs", "a cat"]') WHERE relevance_score >= 0;
-- One call for the whole set.
CREATE TEMP TABLE was AS SELECT requests, texts FROM rerank_stats WHERE task = 'rerank';
SELECT count(*) FROM rerank('cat', '["a", "b", "c", "d"]');
SELECT s.requests - w.requests, s.texts - w.texts FROM rerank_stats s, was w WHERE s.task = 'rerank';
-- Objects: all text fields, or those that rank_fields names.
SELECT key, document FROM rerank('bats', '[{"title": "Up", "year": 2009}, {"title": "Bats", "year": 1999}]', 1);
SELECT key FROM rerank('bats', '[{"title": "Up", "plot": "bats"}, {"title": "Bats", "plot": "x"}]', 1) WHERE rank_fields = 'title';
SELECT key FROM rerank('bats', '[{"title": "Up", "plot": "bats"}, {"title": "Bats", "plot": "x"}]', 1) WHERE rank_fields = 'plot';
SELECT key FROM rerank('1999', '[{"title": "Up", "year": 2009}, {"title": "Bats", "year": 1999}]', 1) WHERE rank_fields = 'title, year';
SELECT a.relevance_score = b.relevance_score FROM rerank('bats', '[{"t": "bats", "u": null, "v": "fly"}]') a, rerank('bats', '["bats fly"]') b;
SELECT count(*) FROM rerank('bats', '[{"t": "x"}, "y"]') WHERE rank_fields IS NULL;
SELECT key FROM rerank('bats', '[{"title": "Up"}]') WHERE rank_fields = 'titel';
SELECT key FROM rerank('bats', '[{"title": ["Up"]}]') WHERE rank_fields = 'title';
SELECT key FROM rerank('bats', '[{"title": "Up"}]') WHERE rank_fields = 'title,,year';
-- The order is the table's own: no sorter in the plan.
EXPLAIN QUERY PLAN SELECT key FROM rerank('a', '["a"]') ORDER BY relevance_score DESC;
EXPLAIN QUERY PLAN SELECT key FROM rerank('a', '["a"]') ORDER BY rank;
EXPLAIN QUERY PLAN SELECT key FROM rerank('a', '["a"]') ORDER BY relevance_score;
SELECT key FROM rerank('cat', '["dogs", "a cat"]') ORDER BY relevance_score;
-- Arguments read back; joins to many queries; a view.
SELECT query, documents, top_n, model FROM rerank('cat', '["a"]', 1, NULL);
SELECT q.column1, r.document FROM (VALUES ('cat'), ('dog'), (NULL)) AS q, rerank(q.column1, '["a dog", "a cat"]', 1) AS r;
CREATE TABLE films(id INTEGER PRIMARY KEY, title TEXT);
INSERT INTO films VALUES (3, 'Batman'), (5, 'Up'), (8, 'Bats');
SELECT r.rank, f.id, f.title FROM rerank('bats', (SELECT json_group_object(id, title) FROM films), 2) AS r JOIN films AS f ON f.id = r.key ORDER BY r.rank;
CREATE VIEW best AS SELECT r.query, r.document FROM rerank r WHERE r.documents = (SELECT json_group_array(title) FROM films) AND r.top_n = 1;
SELECT document FROM best WHERE query = 'bats';
WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT document FROM rerank('number 777', (SELECT json_group_array('number ' || i) FROM n), 1);
-- What is refused.
SELECT * FROM rerank();
SELECT * FROM rerank('a');
SELECT * FROM rerank('a', 'not JSON');
SELECT * FROM rerank('a', '"b"');
SELECT * FROM rerank('a', x'5b5d');
SELECT * FROM rerank('a', 5);
SELECT key FROM rerank('a', '["b", ["c"]]');
SELECT key FROM rerank('a', '{"k": true}');
SELECT * FROM rerank('', '["b"]');
SELECT * FROM rerank(x'61', '["b"]');
SELECT * FROM rerank('a', '["b"]', -1);
SELECT * FROM rerank('a', '["b"]', 1.5);
SELECT * FROM rerank('a', '["b"]', 'two');
SELECT * FROM rerank('a', '["b"]', 1, 'nope');
PRAGMA trusted_schema = OFF;
SELECT document FROM best WHERE query = 'bats';
