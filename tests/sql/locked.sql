-- What is there before the lock stays.
INSERT INTO rerank_models(name, provider, model, url) VALUES ('desk', 'openai', 'm', 'http://127.0.0.1:9/v1');
INSERT INTO rerank_models(name, model, query_prefix) VALUES ('words', 'builtin:lexical', 'find: ');
SELECT rerank_config('embed_model', 'words'), rerank_config('timeout_ms', 500), rerank_config('max_retries', 0);
CREATE TABLE films(id INTEGER PRIMARY KEY, title TEXT);
INSERT INTO films(title) VALUES ('the bats of the cave'), ('love story');
CREATE VIRTUAL TABLE film_index USING semantic_index(content = 'films', text = 'title');
SELECT rerank_config('locked'), rerank_config('locked', 0);
SELECT rerank_config('locked', 2);
SELECT rerank_config('locked', 'yes');
SELECT rerank_config('locked', 1);
-- It cannot be undone.
SELECT rerank_config('locked', 0);
SELECT rerank_config('locked', '');
SELECT rerank_config('locked'), rerank_config('locked', 1);
-- Settings can be read.
SELECT rerank_config('embed_model'), rerank_config('rerank_model'), rerank_config('timeout_ms'), rerank_config('on_overlong'), rerank_config('network'), rerank_config('cache');
SELECT rerank_config('timeout_ms', 1000);
SELECT rerank_config('timeout_ms', 500);
SELECT rerank_config('max_requests', 0);
SELECT rerank_config('threads', 1);
SELECT rerank_config('memory_budget', 0);
SELECT rerank_config('on_overlong', 'error');
SELECT rerank_config('network', 'always');
SELECT rerank_config('cache', '/tmp/rerank_no_such_file');
SELECT rerank_config('cache', '');
SELECT rerank_config('embed_model', 'builtin:lexical');
SELECT rerank_config('rerank_model', 'words');
-- Models too.
INSERT INTO rerank_models(name, model) VALUES ('more', 'builtin:lexical');
INSERT INTO rerank_models(name, provider, model, url) VALUES ('far', 'openai', 'm', 'http://127.0.0.1:9/v1');
UPDATE rerank_models SET url = 'http://127.0.0.1:10/v1' WHERE name = 'desk' AND task = 'embed';
UPDATE rerank_models SET is_default = 1 WHERE name = 'desk';
UPDATE rerank_models SET query_prefix = NULL WHERE name = 'words';
DELETE FROM rerank_models WHERE name = 'words' AND task = 'embed';
SELECT name, task, provider, is_default FROM rerank_models;
-- The network: what was registered is asked.
SELECT embed('a bat', 'desk');
SELECT embed('a bat', 'openai:m');
SELECT embed('a bat', 'owner/name');
SELECT embed('a bat', 'ollama:m');
SELECT rerank('a', 'b', 'cohere:m');
SELECT * FROM rerank('a', '["b"]', 1, 'jina:m');
SELECT * FROM embed_each('["b"]', 'voyage:m');
SELECT token_count('a bat', 'together:m');
SELECT embed_estimate('["a"]', 'mistral:m');
CREATE VIRTUAL TABLE far_index USING semantic_index(model = 'openai:m');
CREATE VIRTUAL TABLE far_index USING semantic_index(reranker = 'together:m');
SELECT count(*) FROM rerank_models WHERE name LIKE '%:m';
SELECT embed('a bat', 'no such');
-- Whatever needs none works.
SELECT vector_dims(embed('a bat')), rerank('bats', 'a bat') > 0;
SELECT embedded, total FROM semantic_sync('film_index');
SELECT title FROM film_index('bats') LIMIT 1;
SELECT model, requests > 0 FROM rerank_stats WHERE task = 'embed';
