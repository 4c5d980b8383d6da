-- embed_each(texts [, model [, role]])
SELECT key, typeof(key), text, vector_dims(embedding), embedding = embed(text) FROM embed_each('["one cat", "two dogs"]');
SELECT key, typeof(key), text FROM embed_each('{"7": "one cat", "a b": "two dogs"}');
SELECT key, text, embedding FROM embed_each('[null]');
SELECT key, text, embedding = embed(text) FROM embed_each('["a cat", null, 42, 2.5, "a cat"]');
SELECT count(*) FROM embed_each('[]');
SELECT count(*) FROM embed_each('{}');
SELECT count(*) FROM embed_each(NULL);
SELECT count(*) FROM embed_each('["a"]', NULL, NULL);
SELECT e.embedding = embed('a cat', NULL, 'query') FROM embed_each('["a cat"]', 'builtin:static', 'query') AS e;
-- Arguments read back, and come from a join or a WHERE.
SELECT texts, model, role FROM embed_each('["a"]', NULL, 'query');
SELECT text FROM embed_each WHERE texts = '["by name"]';
SELECT q.column1, e.key, e.text FROM (VALUES ('["a", "b"]'), (NULL), ('{"k": "c"}')) AS q, embed_each(q.column1) AS e;
-- Many: one call a batch, and in a table's update by key.
CREATE TABLE films(id INTEGER PRIMARY KEY, title TEXT, embedding BLOB);
INSERT INTO films(id, title) WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 600) SELECT i * 10, 'film number ' || i FROM n;
UPDATE films SET embedding = e.embedding FROM embed_each((SELECT json_group_object(id, title) FROM films)) AS e WHERE films.id = e.key;
SELECT count(*), count(embedding), sum(embedding = embed(title)) FROM films WHERE id % 1000 = 0;
SELECT requests < 10 FROM rerank_stats WHERE task = 'embed' AND model = 'builtin:static';
SELECT count(*) FROM (SELECT * FROM embed_each((SELECT json_group_array(title) FROM films)) LIMIT 5);
-- Nothing to embed: NULL, and the others go on.
SELECT key, text, embedding IS NULL, embedding = embed(text) FROM embed_each('["a", "", "b", null, " \t\u3000\u00a0", "c"]');
SELECT key, embedding FROM embed_each('{"k": " \t "}');
-- Nor of what is no text.
SELECT key, embedding IS NULL FROM embed_each('["a\u0000", "b", ""]');
SELECT key, embedding IS NULL FROM embed_each('["a", "\u000e\u000F", "ab\u0000cd\u0000", "\\u0000"]');
SELECT key, embedding IS NULL FROM embed_each(CAST(x'5b2261222c2262ff225d' AS TEXT));
SELECT key, embedding IS NULL FROM embed_each(CAST(x'7b226b223a22ff222c226c223a22ff222c226d223a2278227d' AS TEXT));
SELECT json_extract(embed_estimate('["a\u0000", "never said again"]'), '$.texts');
SELECT json_extract(embed_estimate('["never said", "", " ", null]'), '$.texts');
-- What is refused, with the element named.
SELECT * FROM embed_each();
SELECT * FROM embed_each;
SELECT * FROM embed_each('not JSON');
SELECT * FROM embed_each('["a"');
SELECT * FROM embed_each('"a"');
SELECT * FROM embed_each('5');
SELECT * FROM embed_each(5);
SELECT * FROM embed_each(x'5b5d');
SELECT key FROM embed_each('["a", ["b"]]');
SELECT key FROM embed_each('{"k": {"b": 1}}');
SELECT key FROM embed_each('["a", true]');
SELECT key FROM embed_each('{"a\u0000b": "text"}');
SELECT key FROM embed_each('["a\u0000", "\u000e\u000f\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001F"]');
SELECT text FROM embed_each('["a \\u0000 b"]');
SELECT key FROM embed_each('["a"]', 'nope');
SELECT key FROM embed_each('["a"]', NULL, 'passage');
SELECT key FROM embed_each('["a"]', NULL, NULL, NULL);
