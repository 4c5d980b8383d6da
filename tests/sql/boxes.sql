-- What people type into a search box: rows or no rows, never an error.
CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT);
INSERT INTO docs VALUES (1, 'release notes [2024]'), (2, 'call nextTick twice'), (3, 'version 3.40.1 is out'),
  (4, 'smiles 😀 and hearts'), (5, 'to be or not to be'), (6, 'C++ and templates'), (7, 'C# and queries'), (8, '...');
CREATE VIRTUAL TABLE ix USING semantic_index(content = docs, text = body);
INSERT INTO ix(ix) VALUES ('sync');
-- Its row comes first.
SELECT column1, (SELECT rowid FROM ix(column1, 1)),
       (SELECT rowid FROM ix WHERE ix MATCH column1 ORDER BY relevance DESC LIMIT 1),
       (SELECT id FROM semantic_search_each('ix', json_array(column1), 1))
  FROM (VALUES ('[2024]'), ('next tick'), ('3.40'), ('v3.40.1'), ('😀'), ('To be OR NOT to be'), ('c++'), ('C#'),
               ('...'), ('{"notes": true}'), ('"call'), ('it''s version'));
-- Nothing to find.
SELECT json_quote(column1), (SELECT count(*) FROM ix(column1)), (SELECT count(*) FROM ix WHERE query = column1 AND k = 3),
       (SELECT count(*) FROM (SELECT relevance FROM ix(column1) ORDER BY relevance DESC)),
       (SELECT count(*) FROM semantic_search_each('ix', json_array(column1), 3)), rerank(column1, 'a text')
  FROM (VALUES (''), (' '), (char(9, 10, 0x3000, 0xA0)), (char(0x200B, 0xFEFF)), ('[]'), ('[1, 2'), ('???'), ('''"'),
               ('qqqq zzzz'), ('嗨'), ('👎'), (NULL));
-- The same where the model is fitted on the rows.
CREATE VIRTUAL TABLE lx USING semantic_index(content = docs, text = body, model = 'builtin:lexical');
INSERT INTO lx(lx) VALUES ('sync');
SELECT column1, (SELECT rowid FROM lx(column1, 1)),
       (SELECT rowid FROM lx WHERE lx MATCH column1 ORDER BY relevance DESC LIMIT 1),
       (SELECT id FROM semantic_search_each('lx', json_array(column1), 1))
  FROM (VALUES ('[2024]'), ('next tick'), ('3.40'), ('v3.40.1'), ('😀'), ('To be OR NOT to be'), ('c++'), ('C#'),
               ('...'), ('{"notes": true}'), ('"call'), ('it''s version'));
SELECT json_quote(column1), (SELECT count(*) FROM lx(column1)), (SELECT count(*) FROM lx WHERE query = column1 AND k = 3),
       (SELECT count(*) FROM (SELECT relevance FROM lx(column1) ORDER BY relevance DESC)),
       (SELECT count(*) FROM semantic_search_each('lx', json_array(column1), 3)), rerank(column1, 'a text')
  FROM (VALUES (''), (' '), (char(9, 10, 0x3000, 0xA0)), (char(0x200B, 0xFEFF)), ('[]'), ('[1, 2'), ('???'), ('''"'),
               ('qqqq zzzz'), ('嗨'), ('👎'), (NULL));
-- NULs and bytes that are not UTF-8 are spaces.
SELECT (SELECT rowid FROM ix(CAST(x'ff6e65787454696300' AS TEXT), 1)), (SELECT count(*) FROM ix(char(0))),
       (SELECT key FROM rerank('next' || char(0) || 'tick', '["a", "tick"]') LIMIT 1),
       embed('a' || char(0) || 'b', NULL, 'query') = embed('a b'), embed(char(0), NULL, 'query') IS NULL;
-- Words of a row that is new, which no fit knows, are found, and of one that is gone no more.
INSERT INTO docs VALUES (9, 'xylophone');
INSERT INTO ix(ix) VALUES ('sync');
INSERT INTO lx(lx) VALUES ('sync');
SELECT (SELECT rowid FROM ix('xylophone', 1)), (SELECT rowid FROM lx('xylophone', 1));
DELETE FROM docs WHERE id = 9;
SELECT count(*), (SELECT count(*) FROM lx('xylophone')) FROM ix('xylophone') WHERE bm25 > 0 OR rowid = 9;
-- An array of as many numbers as there are dimensions is a vector, whatever else stands in brackets.
CREATE VIRTUAL TABLE own USING semantic_index(dimensions = 1024, model = 'builtin:lexical');
INSERT INTO own(rowid, text) VALUES (1, 'notes of [1, 2]');
SELECT similarity > 0.99 FROM own((SELECT vector_to_json(embedding) FROM own));
SELECT rowid FROM own('[1, 2]');
CREATE VIRTUAL TABLE pair USING semantic_index(dimensions = 2);
INSERT INTO pair(rowid, embedding) VALUES (1, '[1, 0]');
SELECT rowid FROM pair('[1, 0]');
SELECT rowid FROM pair('[1, 0, 0]');
SELECT rowid FROM pair('[0, 0]');
SELECT rowid FROM pair('a text');
SELECT count(*) FROM pair('');
