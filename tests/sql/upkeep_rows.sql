-- upkeep = 'triggers': keys that are none, generated columns.
CREATE TABLE p(uid TEXT PRIMARY KEY, t);
CREATE VIRTUAL TABLE px USING semantic_index(content = p, text = t, content_rowid = uid, upkeep = 'triggers');
INSERT INTO p VALUES (NULL, 'no key'), ('b', 'bats'), ('c', 'caves');
SELECT uid FROM px;
SELECT pending, failed, advice FROM semantic_status('px');
SELECT sql FROM sqlite_schema WHERE name = 'px_upkeep_update';
CREATE VIEW over AS SELECT * FROM p;
INSERT INTO px(px) VALUES ('content over');
CREATE TABLE n(id INT NOT NULL UNIQUE, a, b, k AS (a || '/' || b) STORED UNIQUE);
CREATE VIRTUAL TABLE nx USING semantic_index(content = n, text = a, content_rowid = id, upkeep = 'triggers');
INSERT INTO n VALUES ('A-1', 'z', 0), (1, 'x', 1), (2, 'x', 2);
UPDATE OR REPLACE n SET b = 2 WHERE id = 1;
SELECT rowid, a FROM nx;
SELECT failed, advice FROM semantic_status('nx');
CREATE UNIQUE INDEX by_word ON n(lower(a));
INSERT INTO nx(nx) VALUES ('upkeep');
