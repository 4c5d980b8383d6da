-- How an index is.
CREATE TABLE docs(id INTEGER PRIMARY KEY, t TEXT);
INSERT INTO docs VALUES (1, 'bats in a cave'), (2, 'trains at night'), (3, NULL), (4, ' ');
CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = 't', model = 'builtin:lexical');
SELECT * FROM semantic_status('ix');
INSERT INTO ix(ix) VALUES ('sync');
.mode line
SELECT rows, pending, gone, failed, bytes = vector_bytes + code_bytes + text_bytes + model_bytes AS sum,
       vector_bytes > 0 AS has_vectors, code_bytes, text_bytes, model_bytes > 0 AS has_model, dimensions > 0 AS has_dimensions,
       fitted_on, model, fingerprint GLOB 'builtin:lexical fit [0-9a-f]*' AS has_fingerprint, problem, advice
  FROM semantic_status('ix');
.mode list
-- What is to be done.
INSERT INTO docs VALUES (5, 'ice on the lake');
SELECT pending, gone, advice FROM semantic_status('ix');
DELETE FROM docs WHERE id = 1;
UPDATE docs SET t = 'trains by day' WHERE id = 2;
SELECT pending, gone, advice FROM semantic_status('ix');
INSERT INTO ix(ix) VALUES ('sync');
SELECT pending, gone, advice FROM semantic_status('ix', 'main');
WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 13) INSERT INTO docs SELECT i, 'soup number ' || i FROM n;
INSERT INTO ix(ix) VALUES ('sync');
SELECT rows, fitted_on, advice FROM semantic_status('ix');
INSERT INTO ix(ix) VALUES ('rebuild');
SELECT rows, fitted_on, advice FROM semantic_status('ix');
-- An index of the version before does not know on how many rows.
DELETE FROM ix_config WHERE key = 'fitted_on';
SELECT fitted_on IS NULL, advice IS NULL FROM semantic_status('ix');
-- An index that names nothing: words and vectors, no fit.
CREATE VIRTUAL TABLE dx USING semantic_index(content = 'docs', text = 't');
INSERT INTO docs VALUES (7, 'a boat to sea');
INSERT INTO dx(dx) VALUES ('sync 3');
SELECT rows, pending, bytes = vector_bytes + code_bytes + text_bytes + model_bytes + word_bytes, code_bytes, model_bytes,
       word_bytes > 0, dimensions, fitted_on, model, fingerprint, problem, advice
  FROM semantic_status('dx');
INSERT INTO dx(dx) VALUES ('rebuild');
SELECT pending, fitted_on, advice FROM semantic_status('dx');
DROP TABLE dx;
DELETE FROM docs WHERE id = 7;
-- What VACUUM may do.
CREATE TABLE loose(t TEXT);
CREATE VIRTUAL TABLE loose_index USING semantic_index(content = 'loose', text = 't');
SELECT pending, advice FROM semantic_status('loose_index');
-- Texts of one's own, codes, vectors of one's own; what waits is not written.
CREATE VIRTUAL TABLE notes USING semantic_index(quantize = 'int8', dimensions = 4);
SELECT rows, pending, bytes, dimensions, model, fitted_on, advice FROM semantic_status('notes');
INSERT INTO notes(rowid, text, embedding) VALUES (1, 'eight by', '[1, 2, 3, 4]'), (2, NULL, '[4, 3, 2, 1]');
SELECT rows, pending, vector_bytes, code_bytes > 0, text_bytes FROM semantic_status('notes');
SELECT dimensions FROM semantic_status('notes');
CREATE VIRTUAL TABLE memos USING semantic_index();
BEGIN;
INSERT OR REPLACE INTO memos(rowid, text) VALUES (1, 'a ship'), (2, 'a plane'), (1, 'a boat');
SELECT rows, pending, advice FROM semantic_status('memos');
ROLLBACK;
SELECT rows, pending, advice FROM semantic_status('memos');
-- What is broken is told.
ALTER TABLE docs RENAME TO papers;
SELECT rows, pending, problem FROM semantic_status('ix');
ALTER TABLE papers RENAME TO docs;
UPDATE ix_config SET value = 'nobody:knows' WHERE key = 'identity';
SELECT rows, pending, problem FROM semantic_status('ix');
UPDATE ix_config SET value = 'nobody/knows' WHERE key = 'model';
SELECT rows, pending, model, problem FROM semantic_status('ix');
UPDATE ix_config SET value = -1 WHERE key = 'dimensions';
SELECT rows, pending, dimensions, model, problem FROM semantic_status('ix');
DROP TABLE ix_rows;
SELECT rows, pending, vector_bytes > 0, problem FROM semantic_status('ix');
UPDATE notes_config SET value = 99 WHERE key = 'format';
ALTER TABLE docs RENAME TO papers;
SELECT rows, problem FROM semantic_status('notes');
-- Whose status?
SELECT * FROM semantic_status();
SELECT * FROM semantic_status(NULL);
SELECT * FROM semantic_status('docs');
SELECT * FROM semantic_status('papers');
SELECT * FROM semantic_status('nothing');
SELECT * FROM semantic_status('ix', 'temp');
SELECT * FROM semantic_status(x'00');
SELECT "index", schema FROM semantic_status('memos', 'main');
