-- builtin:static: embed, embed_each, tokens.
SELECT vector_dims(embed('a text', 'builtin:static')), printf('%.4f', vector_norm(embed('a text', 'builtin:static')));
SELECT embed('Café naïve', 'builtin:static') = embed('CAFE' || char(769) || ' NAI' || char(776) || 'VE', 'builtin:static', 'query');
SELECT cosine_sim(embed('a dog barks', 'builtin:static'), embed('puppies', 'builtin:static', 'query')) > cosine_sim(embed('a dog barks', 'builtin:static'), embed('stock market', 'builtin:static', 'query'));
SELECT embed('', 'builtin:static'), vector_norm(embed('。', 'builtin:static')) > 0.99;
SELECT n, embedding = embed(text, 'builtin:static') FROM (SELECT rowid AS n, text, embedding FROM embed_each('["bats", "東京", "bats"]', 'builtin:static'));
SELECT token_count('The bats, the bats!', 'builtin:static'), token_ids('The bats in 東京', 'builtin:static'), token_ids('', 'builtin:static');
SELECT n, text FROM chunk_each('One two three. Four five six.', 5, 0, 'builtin:static');
SELECT embed(x'61', 'builtin:static');
SELECT embed('a', 'builtin:Static');
SELECT rerank('a', 'b', 'builtin:static');
-- Names for it.
INSERT INTO rerank_models(name, provider, model, query_prefix) VALUES ('words', 'builtin', 'static', 'find ');
SELECT embed('bats', 'words', 'query') = embed('find bats', 'builtin:static'), embed('bats', 'words') = embed('bats', 'builtin:static');
INSERT INTO rerank_models(name, model, dimensions) VALUES ('short', 'builtin:static', 64);
UPDATE rerank_models SET name = 'x' WHERE name = 'builtin:static';
DELETE FROM rerank_models WHERE name = 'builtin:static';
-- An index, which needs no fit: rows and queries share the space of embed().
CREATE TABLE films(id INTEGER PRIMARY KEY, title);
INSERT INTO films(title) VALUES ('A puppy finds a home'), ('Bankers and their loans'), ('東京の夜'), ('???'), ('');
CREATE VIRTUAL TABLE found USING semantic_index(content = 'films', text = 'title', model = 'builtin:static', upkeep = 'triggers');
INSERT INTO found(found) VALUES ('sync');
SELECT title FROM found('dogs', 1);
SELECT title FROM found('money', 1);
SELECT title FROM found(embed('dogs', 'builtin:static'), 1);
SELECT title FROM found('東京', 1);
SELECT count(*) FROM found('москва');
SELECT count(*) FROM found('!!');
SELECT rows, pending, dimensions, model FROM semantic_status('found');
INSERT INTO films(title) VALUES ('Москва слезам не верит');
SELECT title FROM found('в москве', 1);
SELECT title FROM found('money', 1) ORDER BY relevance DESC;
PRAGMA trusted_schema = OFF;
UPDATE films SET title = 'A kitten' WHERE id = 2;
PRAGMA trusted_schema = ON;
SELECT title FROM found('cats', 1);
-- Of other dimensions than the index was made for.
CREATE VIRTUAL TABLE narrow USING semantic_index(content = 'films', text = 'title', dimensions = 4);
INSERT INTO narrow(narrow) VALUES ('sync');
DROP TABLE narrow;
-- Of another table.
UPDATE found_config SET value = value + 1 WHERE key = 'fingerprint';
SELECT title FROM found('dogs', 1);
SELECT problem FROM semantic_status('found');
INSERT INTO found(found) VALUES ('rebuild');
SELECT title FROM found('dogs', 1);
SELECT problem FROM semantic_status('found');
-- Not fitted: what says so is damaged.
UPDATE found_config SET value = 7 WHERE key = 'fit';
SELECT title FROM found('dogs', 1);
