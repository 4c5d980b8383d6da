-- Remote models, without a network: nothing here is sent.
SELECT rerank_config('max_requests', 0), rerank_config('timeout_ms', 500), rerank_config('max_retries', 0), rerank_config('concurrency', 2);
-- Not set up: no key, no URL of its own, no row.
SELECT embed('a', 'together:BAAI/bge-base-en-v1.5');
SELECT embed('a', 'BAAI/bge-base-en-v1.5');
SELECT rerank('a', 'b', 'Salesforce/Llama-Rank-V1');
SELECT embed('a', 'ollama:nomic-embed-text');
SELECT rerank('a', 'b', 'openai:gpt');
SELECT embed('a', 'nowhere:model');
SELECT embed('a', 'openai:');
SELECT embed('a', '/model'), embed('a', 'owner/');
-- A row sets a provider up: then its own name works too.
INSERT INTO rerank_models(name, provider, model) VALUES ('near', 'ollama', 'nomic-embed-text');
SELECT name, task, provider, model, url, query_prefix, document_prefix FROM rerank_models WHERE provider <> 'builtin';
SELECT embed('a', 'near');
SELECT embed('a', 'ollama:nomic-embed-text');
SELECT embed('a', 'ollama:another');
-- Models with a URL, a key, dimensions of their own.
INSERT INTO rerank_models(name, provider, model, url, api_key) VALUES ('desk', 'openai', 'e5-base', 'http://localhost:9/v1', 'secret-key-1');
INSERT INTO rerank_models(name, task, provider, model, url, batch_size) VALUES ('ranks', 'rerank', 'together', 'Salesforce/Llama-Rank-V1', 'https://example.invalid/v1', 3);
INSERT INTO rerank_models(name, provider, model, dimensions, api_key) VALUES ('short', 'openai', 'text-embedding-3-small', 256, 'secret-key-2');
SELECT name, task, provider, model, url, batch_size, api_key FROM rerank_models WHERE provider <> 'builtin';
SELECT embed('a', 'desk');
SELECT rerank('a', 'b', 'ranks');
SELECT embed_estimate(json_array('one text', 'another text', 'one text'), 'desk');
UPDATE rerank_models SET url = 'https://another.invalid/v1', query_prefix = NULL WHERE name = 'desk';
SELECT name, url, query_prefix, document_prefix FROM rerank_models WHERE name = 'desk';
UPDATE rerank_models SET batch_size = 10 WHERE name = 'desk';
SELECT name, batch_size FROM rerank_models WHERE name = 'desk';
SELECT rerank_config('embed_model', 'desk');
SELECT embed('a');
SELECT rerank_config('embed_model', 'builtin:lexical');
-- An index by such a model: nothing is stored when nothing can be sent.
CREATE TABLE t(id INTEGER PRIMARY KEY, a);
INSERT INTO t(a) VALUES ('one'), ('two');
CREATE VIRTUAL TABLE x USING semantic_index(content = 't', text = 'a', model = 'desk', reranker = 'ranks');
SELECT key, value FROM x_config WHERE key IN ('model', 'reranker') ORDER BY key;
SELECT semantic_estimate('x');
SELECT * FROM semantic_sync('x');
INSERT INTO x(x) VALUES ('sync');
SELECT count(*) FROM x;
INSERT INTO x(x) VALUES ('integrity-check');
-- Chat models that rerank.
SELECT key FROM rerank('a', '["b", "c"]', NULL, 'ollama-chat:llama3');
SELECT embed('a', 'openai-chat:gpt');
INSERT INTO rerank_models(name, provider, model, batch_size, prompt) VALUES ('judge', 'vllm-chat', 'm', 20, 'Rank.');
SELECT name, task, provider, url, prompt FROM rerank_models WHERE name = 'judge';
SELECT rerank('a', 'b', 'judge');
SELECT relevance_score FROM rerank('a', '["b", " "]', NULL, 'judge');
SELECT key FROM rerank('a', '["b", "c"]', NULL, 'judge');
UPDATE rerank_models SET prompt = NULL WHERE name = 'judge';
SELECT name, prompt IS NULL FROM rerank_models WHERE name = 'judge';
UPDATE rerank_models SET prompt = ' ' WHERE name = 'judge';
UPDATE rerank_models SET prompt = 'x' WHERE name = 'desk';
INSERT INTO rerank_models(name, provider, model, batch_size) VALUES ('bad', 'vllm-chat', 'm', 1);
INSERT INTO rerank_models(name, provider, model, dimensions) VALUES ('bad', 'vllm-chat', 'm', 5);
DELETE FROM rerank_models WHERE name = 'judge';
-- What is refused.
INSERT INTO rerank_models(name, provider, model) VALUES ('openai:mine', 'ollama', 'm');
INSERT INTO rerank_models(name, provider, model) VALUES ('me/mine', 'ollama', 'm');
INSERT INTO rerank_models(name, provider, model, url) VALUES ('bad', 'openai', 'm', 'file:///etc/passwd');
INSERT INTO rerank_models(name, provider, model, url) VALUES ('bad', 'openai', 'm', 'localhost');
INSERT INTO rerank_models(name, provider, model, url) VALUES ('bad', 'openai', 'm', 'http://user:password@localhost/');
INSERT INTO rerank_models(name, provider, model, url) VALUES ('bad', 'openai', 'm', 'http://local' || char(10) || 'host/');
INSERT INTO rerank_models(name, provider, model, dimensions) VALUES ('bad', 'together', 'm', 5);
INSERT INTO rerank_models(name, provider, model, dimensions, url) VALUES ('bad', 'openai', 'm', 0, 'http://localhost/');
INSERT INTO rerank_models(name, provider, model, dimensions, url) VALUES ('bad', 'openai', 'm', 70000, 'http://localhost/');
INSERT INTO rerank_models(name, provider, model, batch_size, url) VALUES ('bad', 'openai', 'm', 'many', 'http://localhost/');
INSERT INTO rerank_models(name, provider, model, precision) VALUES ('bad', 'openai', 'm', 'int8');
INSERT INTO rerank_models(name, provider, model, precision, url) VALUES ('bad', 'openai', 'm', 'int8', 'http://localhost/');
UPDATE rerank_models SET precision = 'int8' WHERE name = 'desk';
INSERT INTO rerank_models(name, provider, model, max_tokens, url) VALUES ('bad', 'openai', 'm', 0, 'http://localhost/');
INSERT INTO rerank_models(name, task, provider, model, url) VALUES ('bad', 'rerank', 'openai', 'm', 'http://localhost/');
UPDATE rerank_models SET model = 'other' WHERE name = 'desk';
UPDATE rerank_models SET url = 'nonsense' WHERE name = 'desk';
DELETE FROM rerank_models WHERE name = 'ollama:nomic-embed-text';
SELECT name FROM rerank_models WHERE name = 'bad';
SELECT rerank_config('concurrency', 0);
SELECT rerank_config('timeout_ms', 0);
SELECT rerank_config('cache', '/nowhere/at/all');
SELECT rerank_config('cache'), rerank_config('cache', '');
-- And removed.
DELETE FROM rerank_models WHERE name IN ('near', 'desk', 'ranks', 'short');
SELECT name FROM rerank_models WHERE provider <> 'builtin';
SELECT embed('a', 'desk');
SELECT sum(requests), sum(texts) FROM rerank_stats;
