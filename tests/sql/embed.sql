-- embed(text [, model [, role]])
SELECT typeof(embed('a text')), vector_dims(embed('a text')), printf('%.4f', vector_norm(embed('a text')));
SELECT embed('a text') = embed('a text', 'builtin:static', 'document');
SELECT embed('a text') = embed('a text', NULL, NULL);
SELECT cosine_sim(embed('bats fly at night'), embed('a bat flies', NULL, 'query')) > cosine_sim(embed('bats fly at night'), embed('tax law', NULL, 'query'));
SELECT embed(NULL), embed(NULL, 'builtin:static'), embed(NULL, NULL, 'query');
SELECT embed(42) = embed('42'), embed(2.5) = embed('2.5');
SELECT vector_dims(embed('héllo wörld 東京 🦇'));
SELECT vector_dims(embed('...'));
-- Nothing to embed.
SELECT embed('');
SELECT embed(' ' || char(9, 10, 13));
SELECT embed(char(160)), embed(char(12288, 8232)), embed(char(5760, 8192, 8287), NULL, 'query'), embed('', 'builtin:static');
SELECT embed(char(8203)) IS NULL, embed(char(65279)) IS NULL; -- no white space
CREATE TABLE bodies(id INTEGER PRIMARY KEY, body, embedding);
INSERT INTO bodies(body) VALUES ('the cat sleeps'), (''), (NULL), (char(12288)), ('dogs bark');
UPDATE bodies SET embedding = embed(body);
SELECT id, embedding IS NULL FROM bodies;
-- What is refused.
UPDATE bodies SET embedding = embed(body || x'00' || 'a much longer text than what is shown of it');
SELECT embed(x'61');
SELECT embed(CAST(x'6162ff63' AS TEXT));
SELECT embed('ab' || char(0) || 'cd');
SELECT embed('a', 'nope');
SELECT embed('a', 'openai:text-embedding-3-small');
SELECT embed('a', '');
SELECT embed('a', x'00');
SELECT embed('a', NULL, 'passage');
SELECT embed('a', NULL, '');
SELECT embed();
-- Cached: a text is computed once, whatever asks for it; equal texts of one call go to the model once.
SELECT requests > 0, texts > 0 FROM rerank_stats WHERE task = 'embed' AND model = 'builtin:static';
CREATE TEMP TABLE was AS SELECT requests, texts, cache_hits FROM rerank_stats WHERE task = 'embed' AND model = 'builtin:static';
SELECT count(embed('said once ' || (column1 % 2))) FROM (VALUES (1), (2), (3), (4));
SELECT s.requests - w.requests, s.texts - w.texts, s.cache_hits - w.cache_hits FROM rerank_stats s, was w WHERE s.task = 'embed' AND s.model = 'builtin:static';
SELECT count(embedding) FROM embed_each('["x y", "said once 1", "x y", "x y"]');
SELECT s.requests - w.requests, s.texts - w.texts, s.cache_hits - w.cache_hits FROM rerank_stats s, was w WHERE s.task = 'embed' AND s.model = 'builtin:static';
-- In a view and a trigger; trusted_schema = OFF blocks them there.
CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT, embedding BLOB);
CREATE TRIGGER notes_embed AFTER INSERT ON notes BEGIN UPDATE notes SET embedding = embed(new.text) WHERE id = new.id; END;
INSERT INTO notes(text) VALUES ('the cat sleeps');
CREATE VIEW embedded AS SELECT id, vector_dims(embed(text)) AS dims FROM notes;
SELECT id, vector_dims(embedding) FROM notes;
SELECT * FROM embedded;
PRAGMA trusted_schema = OFF;
SELECT * FROM embedded;
INSERT INTO notes(text) VALUES ('dogs bark');
SELECT count(*) FROM notes;
