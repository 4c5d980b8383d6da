-- rerank_config(name [, value]) and rerank_version().
SELECT rerank_version() LIKE '_%._%._%';
SELECT rerank_config('embed_model'), rerank_config('rerank_model');
SELECT typeof(rerank_config('memory_budget')), rerank_config('memory_budget') > 0;
SELECT rerank_config('memory_budget', 1000000);
SELECT rerank_config('memory_budget', '2000000');
SELECT rerank_config('memory_budget');
-- Without a budget nothing is kept: the same text goes to the model again.
SELECT rerank_config('memory_budget', 0);
SELECT length(embed('said twice')) FROM (VALUES (1), (2)) WHERE length(embed('said twice' || substr('', column1))) > 0;
SELECT cache_hits FROM rerank_stats WHERE task = 'embed' AND model = 'builtin:static';
SELECT rerank_config('memory_budget', 1000000);
INSERT INTO rerank_models(name, model) VALUES ('words', 'builtin:lexical');
SELECT rerank_config('embed_model', 'words'), rerank_config('rerank_model');
SELECT vector_dims(embed('a text'));
SELECT rerank_config('rerank_model', 'words');
SELECT name, task FROM rerank_models WHERE is_default;
SELECT rerank_config('embed_model', 'builtin:static');
-- Texts that are longer than a local model reads.
SELECT rerank_config('on_overlong');
SELECT rerank_config('on_overlong', 'error');
SELECT rerank_config('on_overlong', 'shorten');
SELECT rerank_config('on_overlong', '');
SELECT rerank_config('on_overlong', 1);
SELECT rerank_config('on_overlong'), rerank_config('on_overlong', 'truncate');
-- When remote models may be asked.
SELECT rerank_config('network'), rerank_config('network', 'reads'), rerank_config('network');
SELECT rerank_config('network', 'never');
SELECT rerank_config('network', 1);
SELECT rerank_config('network', 'always');
-- What is refused; the setting stays.
SELECT rerank_config('embed_model', 'nope');
SELECT rerank_config('embed_model', x'00');
SELECT rerank_config('memory_budget', -1);
SELECT rerank_config('memory_budget', 'much');
SELECT rerank_config('memory_budget', 1.5);
SELECT rerank_config('memory_budget', '');
SELECT rerank_config('embed_model', '');
SELECT rerank_config('timeout_ms');
SELECT rerank_config('speed', 9);
SELECT rerank_config('');
SELECT rerank_config(x'00');
SELECT rerank_config(NULL);
SELECT rerank_config();
SELECT rerank_config('embed_model'), rerank_config('memory_budget');
-- Top-level SQL only.
CREATE VIEW configured AS SELECT rerank_config('embed_model') AS model;
SELECT * FROM configured;
