-- Words beside vectors. More of it: drivers/test_words.py.
CREATE VIRTUAL TABLE tx USING semantic_index(model = 'builtin:lexical', lexical = 'fts5');
INSERT INTO tx(rowid, text) VALUES (5, 'fox'), (6, 'hen');
UPDATE tx SET text = 'owl' WHERE rowid = 5;
DELETE FROM tx WHERE rowid = 6;
SELECT f.rowid, d.* FROM tx_fts AS f LEFT JOIN tx_docs AS d ON d.doc = f.rowid;
INSERT INTO tx(tx) VALUES ('optimize');
SELECT f.rowid, d.* FROM tx_fts AS f LEFT JOIN tx_docs AS d ON d.doc = f.rowid;
INSERT INTO tx(tx) VALUES ('integrity-check');
CREATE TABLE notes(id INTEGER PRIMARY KEY, t TEXT);
CREATE VIRTUAL TABLE nx USING semantic_index(content = 'notes', text = 't', lexical = 'fts5', tokenizer = 'trigram');
INSERT INTO notes VALUES (1, 'rain'), (2, 'snow');
INSERT INTO nx(nx) VALUES ('sync');
UPDATE notes SET t = 'thunder' WHERE id = 1;
INSERT INTO nx(nx, rowid) VALUES ('changed', 1);
SELECT coalesce(d.id, f.rowid) FROM nx_fts('hund') AS f LEFT JOIN nx_docs AS d ON d.doc = f.rowid;
-- What was dropped by hand, and what FTS5 does not see.
DROP TABLE tx_fts;
INSERT INTO tx(tx) VALUES ('integrity-check');
SELECT rowid FROM tx WHERE query = 'owl' AND weight = 0;
INSERT INTO tx(tx) VALUES ('optimize');
DELETE FROM tx_fts_idx;
INSERT INTO tx(tx) VALUES ('integrity-check');
SELECT rowid FROM tx WHERE query = 'ox' AND weight = 0;
INSERT INTO tx(tx) VALUES ('rebuild');
SELECT rowid FROM tx WHERE query = 'owl' AND weight = 0;
INSERT INTO tx(tx) VALUES ('integrity-check');
-- What is refused.
CREATE VIRTUAL TABLE e USING semantic_index(lexical = 'bm25');
CREATE VIRTUAL TABLE e USING semantic_index(model = 'builtin:lexical', tokenizer = 'trigram');
CREATE VIRTUAL TABLE e USING semantic_index(lexical = 'none', tokenizer = 'trigram');
CREATE VIRTUAL TABLE e USING semantic_index(lexical = 'fts5', tokenizer = 'klingon');
CREATE VIRTUAL TABLE e USING semantic_index(lexical = 'fts5', tokenizer = '');
