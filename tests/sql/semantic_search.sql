-- A content table, its index, and the forms of a query.
CREATE TABLE films(id INTEGER PRIMARY KEY, title TEXT, overview TEXT);
INSERT INTO films VALUES
  (1, 'Batman Begins', 'A masked hero fights crime in a dark city.'),
  (2, 'Penguin Island', 'Birds on the ice look for their egg.'),
  (3, 'Night Train', 'A detective follows a murder mystery on a train.'),
  (4, 'Cooking School', 'A young chef learns to make soup.');
CREATE VIRTUAL TABLE film_index USING semantic_index(
  content = 'films', text = 'title, overview', document = 'title', candidates = 3);
SELECT embedded, deleted, pending, total FROM semantic_sync('film_index');
SELECT embedded, deleted, pending, total FROM semantic_sync('film_index');
SELECT * FROM film_index;
SELECT rowid, title FROM film_index('soup of a chef') LIMIT 1;
SELECT title FROM film_index WHERE film_index MATCH 'birds and an egg' AND k = 1;
SELECT title, rank, k, query FROM film_index WHERE query = 'murder on the train' AND k = 1;
SELECT title FROM film_index('batman', 3) ORDER BY relevance DESC LIMIT 1;
SELECT count(*), count(relevance) FROM film_index('batman');
SELECT count(*) FROM film_index('batman') WHERE similarity >= -1 AND rowid IN (SELECT 2 UNION SELECT 3);
-- Views: the query goes through them.
CREATE VIEW film_search AS
  SELECT s.query, s.k, f.*, s.similarity, s.relevance FROM film_index s JOIN films f ON f.id = s.rowid;
SELECT title FROM film_search WHERE query = 'ice birds' ORDER BY similarity DESC LIMIT 1;
SELECT title FROM film_search WHERE query = 'ice birds' AND k = 2 ORDER BY relevance DESC LIMIT 1;
SELECT q.column1, (SELECT title FROM film_index(q.column1, 1)) FROM (VALUES ('soup'), ('train')) AS q;
-- Triggers keep the index in step.
CREATE TRIGGER film_insert AFTER INSERT ON films BEGIN INSERT INTO film_index(rowid) VALUES (new.id); END;
CREATE TRIGGER film_update AFTER UPDATE ON films BEGIN INSERT INTO film_index(rowid) VALUES (new.id); END;
CREATE TRIGGER film_delete AFTER DELETE ON films BEGIN DELETE FROM film_index WHERE rowid = old.id; END;
INSERT INTO films VALUES (5, 'Cave', 'Bats sleep in a deep cave.');
SELECT title FROM film_index('deep cave', 1);
UPDATE films SET overview = 'Dragons sleep in a volcano.' WHERE id = 5;
SELECT title FROM film_index('volcano dragons', 1);
DELETE FROM films WHERE id = 5;
SELECT count(*) FROM film_index;
INSERT INTO film_index(film_index) VALUES ('rebuild');
INSERT INTO film_index(film_index) VALUES ('integrity-check');
DROP TABLE film_index;
SELECT name FROM sqlite_schema WHERE name LIKE 'film_index%';
