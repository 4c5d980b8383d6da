-- token_count(text [, model]): the words of the embedded model.
SELECT rerank_config('embed_model', 'builtin:lexical');
SELECT token_count('one two three'), token_count('Don''t stop: 3.5 caf' || char(233) || '!'), token_count(''), token_count(' . '), token_count(NULL);
SELECT token_count(42), token_count(2.5), token_count(char(19968, 20108, 19977));
SELECT token_count('one two', NULL), token_count('one two', 'builtin:lexical'), token_count(NULL, 'nope');
INSERT INTO rerank_models(name, task, model) VALUES ('ranks', 'rerank', 'builtin:lexical'), ('finds', 'embed', 'builtin:lexical');
SELECT token_count('one two', 'ranks'), token_count('one two', 'finds');
SELECT token_ids(NULL), token_ids(NULL, 'nope');
-- In indexes and generated columns: the same text has the same tokens.
CREATE TABLE t(a TEXT, n INTEGER GENERATED ALWAYS AS (token_count(a, 'builtin:lexical')) STORED);
INSERT INTO t(a) VALUES ('one two'), (NULL);
SELECT * FROM t;
-- What is refused.
SELECT token_ids('one two');
SELECT token_ids('one two', 'ranks');
SELECT token_count('one two', 'nope');
SELECT token_count('one two', 'openai:text-embedding-3-small');
SELECT token_count('one two', 'local:../secret');
SELECT token_count('one two', x'00');
SELECT token_count(x'00');
SELECT token_count(CAST(x'ff' AS TEXT));
SELECT token_count('a' || char(0) || 'b');
SELECT token_count();
SELECT token_count('a', 'b', 'c');
-- A remote model does not tell.
INSERT INTO rerank_models(name, task, provider, model, url) VALUES ('desk', 'embed', 'openai', 'm', 'http://localhost:9/v1');
SELECT token_count('one two', 'desk');
SELECT token_ids('one two', 'desk');
SELECT rerank_config('embed_model', 'desk');
SELECT token_count('one two');
SELECT * FROM chunk_each('one two');
