-- Zero-shot classification: each row gets the label whose description is nearest to it. Nothing is
-- trained, and a new label is a new row.
.load build/rerank
.read sql/load_movies.sql

CREATE VIRTUAL TABLE movie_index USING semantic_index(content = 'movies', text = 'title, overview, tagline');
INSERT INTO movie_index(movie_index) VALUES ('sync');

-- A sentence that uses the words of such rows says more than the label alone.
CREATE TABLE labels(label TEXT PRIMARY KEY, description TEXT, embedding BLOB);
INSERT INTO labels(label, description) VALUES
  ('crime',   'gangsters, murder, police, detectives, a robbery, the mafia'),
  ('space',   'space travel, astronauts, aliens, planets, a spaceship'),
  ('war',     'soldiers, battle, army, war, the front'),
  ('romance', 'a love story, falling in love, marriage, a couple'),
  ('family',  'children, toys, animals, an animated adventure for the whole family');
UPDATE labels SET embedding = e.embedding
  FROM embed_each((SELECT json_group_object(label, description) FROM labels)) AS e
 WHERE labels.label = e.key;

-- SQLite takes the label from the row of the max().
CREATE TABLE movie_labels AS
SELECT m.rowid AS id, m.title, l.label, max(cosine_sim(m.embedding, l.embedding)) AS similarity
  FROM movie_index AS m, labels AS l
 GROUP BY m.rowid;

-- The surest of each label, and how many rows have it. What is near no label should have none: look
-- at the least similar ones for a bound.
SELECT label, count(*) AS movies, title, round(max(similarity), 3) AS similarity
  FROM movie_labels
 GROUP BY label
 ORDER BY label;
