-- Models in folders, with random weights (tests/golden/local/models.py).
SELECT printf('%.3f %d', vector_norm(embed('a bat at night', 'local:test/mean')), vector_dims(embed('a bat at night', 'local:test/mean')));
SELECT printf('%.3f', cosine_sim(embed('a bat at night', 'local:test/mean'), embed('the bats', 'local:test/mean')));
SELECT key, printf('%.3f', cosine_sim(embedding, embed('a bat', 'local:test/mean'))) FROM embed_each('["a bat", "love story", "a bat"]', 'local:test/mean');
SELECT token_ids('A bat, bats', 'local:test/mean'), token_count('A bat, bats', 'local:test/mean');
SELECT printf('%.3f', rerank('a bat', 'the bats of the cave', 'local:test/cross'));
SELECT key, printf('%.3f', relevance_score) FROM rerank('a bat', '["love story", "the bats of the cave"]', 1, 'local:test/cross');
SELECT n, start, text FROM chunk_each('A bat. The cave. Love and war. The house of the king.', 8, 0, 'local:test/mean');
-- Other ways to compute, and kinds of models.
INSERT INTO rerank_models(name, task, provider, model, precision) VALUES ('half', 'embed', 'local', 'test/mean', 'bf16'), ('byte', 'embed', 'local', 'test/mean', 'int8');
SELECT cosine_sim(embed('a bat', 'half'), embed('a bat', 'local:test/mean')) > .999, cosine_sim(embed('a bat', 'byte'), embed('a bat', 'local:test/mean')) > .99;
SELECT printf('%.3f', cosine_sim(embed('a bat', 'local:test/static'), embed('bats', 'local:test/static')));
SELECT printf('%.3f', cosine_sim(embed('a bat', 'local:test/xlm'), embed('bats', 'local:test/xlm')));
SELECT printf('%.3f', cosine_sim(embed('a bat', 'local:test/mpnet'), embed('bats', 'local:test/mpnet'))), printf('%.3f', rerank('a bat', 'bats', 'local:test/mpnet-cross'));
-- An index.
CREATE TABLE films(id INTEGER PRIMARY KEY, title TEXT);
INSERT INTO films(title) VALUES ('the bats of the cave'), ('love story'), ('a space ship');
CREATE VIRTUAL TABLE film_index USING semantic_index(content = 'films', text = 'title', document = 'title', model = 'local:test/mean');
SELECT embedded, deleted, pending, total FROM semantic_sync('film_index');
SELECT rowid, title FROM film_index('bats') LIMIT 2;
-- What is too long is cut, and counted; or refused.
SELECT model, texts > 0, truncated FROM rerank_stats WHERE task = 'embed' AND model LIKE 'local:test/mean';
SELECT typeof(embed(printf('%.*c', 400, '!'), 'local:test/mean'));
SELECT truncated FROM rerank_stats WHERE task = 'embed' AND model = 'local:test/mean';
SELECT rerank_config('on_overlong', 'error');
SELECT embed(printf('%.*c', 400, '?'), 'local:test/mean');
SELECT key FROM embed_each(json_array('a', printf('%.*c', 400, '?'), 'b', printf('%.*c', 400, '?')), 'local:test/mean');
SELECT cache_hits FROM rerank_stats WHERE task = 'embed' AND model = 'local:test/mean';
SELECT count(embedding) FROM embed_each('["a", "b"]', 'local:test/mean');
SELECT cache_hits FROM rerank_stats WHERE task = 'embed' AND model = 'local:test/mean';
SELECT rank, key, relevance_score IS NULL FROM rerank('a', json_array(printf('%.*c', 400, '?'), 'b', '', 'c'), NULL, 'local:test/cross');
SELECT rerank('a', printf('%.*c', 400, '?'), 'local:test/cross');
SELECT key FROM rerank(printf('%.*c', 400, '?'), '["b", "c"]', NULL, 'local:test/cross');
-- What is refused.
SELECT embed('a', 'local:test/cross');
SELECT rerank('a', 'b', 'local:test/mean');
SELECT embed('', 'local:test/mean');
