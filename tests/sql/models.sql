-- What there is.
SELECT name, task, provider, model, url, dimensions, max_tokens, batch_size > 0, precision, query_prefix, document_prefix, is_default FROM rerank_models;
SELECT api_key IS NULL FROM rerank_models LIMIT 1;
SELECT count(*), sum(requests), sum(truncated) FROM rerank_stats;
-- Aliases.
INSERT INTO rerank_models(name, provider, model) VALUES ('words', 'builtin', 'lexical');
SELECT name, task, provider, model, is_default FROM rerank_models;
SELECT embed('a cat', 'words') = embed('a cat', 'builtin:lexical'), rerank('a', 'b', 'words') = rerank('a', 'b');
INSERT INTO rerank_models(name, task, model, query_prefix, document_prefix) VALUES ('prefixed', 'embed', 'builtin:lexical', 'find: ', 'text: ');
SELECT embed('cat', 'prefixed') = embed('text: cat', 'builtin:lexical'), embed('cat', 'prefixed', 'query') = embed('find: cat', 'builtin:lexical');
SELECT embed('', 'prefixed');
SELECT rerank('a', 'b', 'prefixed');
INSERT INTO rerank_models(name, task, model) VALUES ('again', 'rerank', 'words');
SELECT name, task FROM rerank_models WHERE name = 'again';
-- Defaults.
UPDATE rerank_models SET is_default = 1 WHERE name = 'prefixed';
SELECT name, task FROM rerank_models WHERE is_default;
SELECT rerank_config('embed_model');
SELECT embed('cat') = embed('text: cat', 'builtin:lexical');
UPDATE rerank_models SET is_default = 0 WHERE name = 'prefixed';
SELECT name, task FROM rerank_models WHERE is_default;
UPDATE rerank_models SET is_default = (name = 'words');
SELECT name, task FROM rerank_models WHERE is_default;
DELETE FROM rerank_models WHERE name = 'words';
SELECT name, task FROM rerank_models WHERE is_default;
-- Changes.
UPDATE rerank_models SET document_prefix = 'passage: ' WHERE name = 'prefixed';
SELECT embed('cat', 'prefixed') = embed('passage: cat', 'builtin:lexical');
UPDATE rerank_models SET name = 'renamed', document_prefix = NULL WHERE name = 'prefixed';
SELECT embed('cat', 'renamed') = embed('cat', 'builtin:lexical');
UPDATE rerank_models SET document_prefix = 'all: ' WHERE name = 'builtin:lexical' AND task = 'embed';
SELECT name, task, query_prefix, document_prefix FROM rerank_models;
UPDATE rerank_models SET document_prefix = NULL WHERE name = 'builtin:lexical' AND task = 'embed';
-- Statistics: of the model, whatever it was called.
CREATE TEMP TABLE was AS SELECT requests, texts FROM rerank_stats WHERE task = 'embed' AND model = 'builtin:lexical';
SELECT vector_dims(embed('counted under another name', 'renamed'));
SELECT s.model, s.requests - w.requests, s.texts - w.texts, s.failures, s.seconds >= 0 FROM rerank_stats s, was w WHERE s.task = 'embed' AND s.model = 'builtin:lexical';
-- What is refused, and leaves nothing behind.
INSERT INTO rerank_models(name, provider, model) VALUES ('renamed', 'builtin', 'lexical');
INSERT INTO rerank_models(name, provider, model) VALUES ('builtin:lexical', 'builtin', 'lexical');
INSERT INTO rerank_models(name, provider, model) VALUES ('x', 'openai', 'text-embedding-3-small');
INSERT INTO rerank_models(name, provider, model) VALUES ('x', 'builtin', 'grammar');
INSERT INTO rerank_models(name, model) VALUES ('x', 'nope');
INSERT INTO rerank_models(name) VALUES ('x');
INSERT INTO rerank_models(provider, model) VALUES ('builtin', 'lexical');
INSERT INTO rerank_models(name, provider, model) VALUES ('', 'builtin', 'lexical');
INSERT INTO rerank_models(name, task, provider, model) VALUES ('x', 'summarize', 'builtin', 'lexical');
INSERT INTO rerank_models(name, task, provider, model, query_prefix) VALUES ('x', 'rerank', 'builtin', 'lexical', 'q: ');
INSERT INTO rerank_models(name, provider, model, url) VALUES ('x', 'builtin', 'lexical', 'http://localhost/');
INSERT INTO rerank_models(name, provider, model, api_key) VALUES ('x', 'builtin', 'lexical', 'secret');
INSERT INTO rerank_models(name, provider, model, dimensions) VALUES ('x', 'builtin', 'lexical', 3);
INSERT INTO rerank_models(name, provider, model, precision) VALUES ('x', 'builtin', 'lexical', 'int8');
INSERT INTO rerank_models(name, model, precision) VALUES ('x', 'renamed', 'int8');
INSERT INTO rerank_models(name, provider, model) VALUES ('x', 'local', '../etc');
INSERT INTO rerank_models(name, model, precision) VALUES ('x', 'local:/etc/passwd', 'int8');
INSERT INTO rerank_models(name, provider, model) VALUES ('local:x', 'builtin', 'lexical');
INSERT INTO rerank_models(name, provider, model) VALUES ('owner/x', 'builtin', 'lexical');
INSERT INTO rerank_models(name, provider, model, is_default) VALUES ('x', 'builtin', 'lexical', 7);
UPDATE rerank_models SET name = 'x' WHERE name = 'builtin:lexical';
UPDATE rerank_models SET task = 'rerank' WHERE name = 'renamed';
UPDATE rerank_models SET dimensions = 3 WHERE name = 'renamed';
UPDATE rerank_models SET precision = 'int8' WHERE name = 'renamed';
UPDATE rerank_models SET max_tokens = 5 WHERE name = 'renamed';
UPDATE rerank_models SET precision = 'int8' WHERE name = 'builtin:lexical';
UPDATE rerank_models SET model = 'grammar' WHERE name = 'renamed';
DELETE FROM rerank_models WHERE name = 'builtin:lexical';
UPDATE rerank_stats SET requests = 0;
SELECT name, task FROM rerank_models;
-- Top-level SQL only.
CREATE VIEW listed AS SELECT * FROM rerank_models;
SELECT * FROM listed;
CREATE TABLE t(a);
CREATE TRIGGER t_insert AFTER INSERT ON t BEGIN INSERT INTO rerank_models(name, model) VALUES ('t', 'words'); END;
INSERT INTO t VALUES (1);
