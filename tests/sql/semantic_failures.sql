-- One bad row is one bad row: what can be embedded is, the rest is told.
CREATE TABLE docs(id INTEGER PRIMARY KEY, title, body);
INSERT INTO docs VALUES
  (1, 'bats', 'a cave of bats'), (2, 'log', 'crash' || char(0) || 'dump'),
  (3, 'latin', CAST(x'636166e9' AS TEXT)), (4, 'picture', x'89504e47'),
  (5, '', char(0x3000, 0xa0, 0x2028)), (6, NULL, ''), (7, 'trains', 'late trains');
CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = 'title, body');
SELECT embedded, deleted, pending, total, failed FROM semantic_sync('ix');
SELECT rowid, message, attempts FROM semantic_failures('ix');
SELECT count(*) FROM semantic_failures('ix', 'main') WHERE at - strftime('%s', 'now') BETWEEN -60 AND 0;
SELECT id FROM ix ORDER BY rowid;
SELECT id FROM ix('late train', 1);
-- Nothing is tried again for nothing.
SELECT embedded, deleted, pending, total, failed FROM semantic_sync('ix');
INSERT INTO ix(ix) VALUES ('retry');
SELECT rowid, attempts FROM semantic_failures('ix');
-- A text that is mended, one that is no longer there, one that was good, and a new one.
UPDATE docs SET body = 'core dump' WHERE id = 2;
DELETE FROM docs WHERE id = 3;
UPDATE docs SET body = x'00' WHERE id = 7;
INSERT INTO docs VALUES (8, 'sea', 'a ship at sea');
SELECT embedded, deleted, pending, total, failed FROM semantic_sync('ix');
SELECT rowid, message, attempts FROM semantic_failures('ix');
SELECT id FROM ix ORDER BY rowid;
INSERT INTO ix(ix) VALUES ('integrity-check');
-- The same bytes as text; then nothing to embed.
UPDATE docs SET body = CAST(body AS TEXT) || 'er' WHERE id = 4;
UPDATE docs SET title = '', body = '  ' WHERE id = 7;
INSERT INTO ix(ix) VALUES ('sync');
SELECT rowid, message, attempts FROM semantic_failures('ix');
-- Row by row, as triggers do; the transaction goes through.
CREATE TRIGGER docs_i AFTER INSERT ON docs BEGIN INSERT INTO ix(rowid) VALUES (new.id); END;
CREATE TRIGGER docs_u AFTER UPDATE ON docs BEGIN INSERT INTO ix(rowid) VALUES (new.id); END;
CREATE TRIGGER docs_d AFTER DELETE ON docs BEGIN DELETE FROM ix WHERE rowid = old.id; END;
BEGIN;
INSERT INTO docs VALUES (10, 'mice', 'mice run'), (11, 'bad', x'ff'), (12, 'rain', 'rain falls');
UPDATE docs SET body = x'ff' WHERE id = 1;
SELECT rowid FROM semantic_failures('ix');
COMMIT;
SELECT id FROM ix ORDER BY rowid;
SAVEPOINT a;
UPDATE docs SET body = 'mended' WHERE id = 11;
SELECT rowid FROM semantic_failures('ix');
ROLLBACK TO a;
RELEASE a;
SELECT rowid FROM semantic_failures('ix');
DELETE FROM docs WHERE id = 11;
UPDATE docs SET body = 'bats again' WHERE id = 1;
SELECT rowid FROM semantic_failures('ix');
-- A vector of one's own needs no text.
INSERT INTO docs VALUES (13, 'own', x'ff');
INSERT INTO ix(rowid, embedding) SELECT 13, embedding FROM ix WHERE rowid = 1;
SELECT rowid FROM semantic_failures('ix');
INSERT INTO ix(ix) VALUES ('sync');
SELECT rowid FROM semantic_failures('ix');
-- So many rows and no more.
DELETE FROM ix;
INSERT INTO ix(ix) VALUES ('sync 3');
SELECT count(*) FROM ix;
SELECT state, embedded, failed, pending, total FROM semantic_progress;
INSERT INTO ix(ix) VALUES ('SYNC 9223372036854775807');
SELECT state, embedded, failed, pending, total FROM semantic_progress;
INSERT INTO ix(ix) VALUES ('rebuild');
SELECT rowid, attempts FROM semantic_failures('ix');
INSERT INTO ix(ix) VALUES ('optimize');
ALTER TABLE ix RENAME TO ix2;
SELECT rowid, attempts FROM semantic_failures('ix2');
INSERT INTO ix2(ix2) VALUES ('integrity-check');
DROP TABLE ix2;
SELECT name FROM sqlite_schema WHERE name LIKE 'ix%';
-- Texts of its own.
CREATE VIRTUAL TABLE notes USING semantic_index();
INSERT INTO notes(text) VALUES ('a bat'), (''), (NULL), (char(0x3000)), ('a cat');
INSERT INTO notes(text) VALUES ('a' || char(0));
SELECT rowid, text IS NULL, embedding IS NULL FROM notes;
SELECT rowid FROM notes WHERE rowid = 2;
INSERT INTO notes(notes) VALUES ('sync');
SELECT rowid FROM semantic_failures('notes');
SELECT rowid FROM notes('bat', 5);
-- A text that is none breaks a constraint of the index that keeps it.
CREATE VIRTUAL TABLE kept USING semantic_index();
INSERT INTO kept(rowid, text) VALUES (1, 'good'), (2, x'ff'), (3, 'also good');
INSERT OR IGNORE INTO kept(rowid, text) VALUES (1, 'good'), (2, x'ff'), (3, CAST(x'ff' AS TEXT)), (4, 'nul' || char(0)), (5, 'fine');
UPDATE OR IGNORE kept SET text = CASE rowid WHEN 5 THEN x'ff' ELSE text || '!' END;
REPLACE INTO kept(rowid, text) VALUES (1, x'ff');
SELECT rowid, text FROM kept;
