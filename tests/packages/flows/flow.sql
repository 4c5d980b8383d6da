CREATE TABLE films(id INTEGER PRIMARY KEY, title TEXT, overview TEXT);
INSERT INTO films VALUES (1, 'Night Train', 'A detective follows a murder mystery on a train.'),
  (2, 'Cooking School', 'A young chef learns to make soup.'),
  (3, 'Bat Cave', 'Bats live in a cave under the old house.');
CREATE VIRTUAL TABLE ix USING semantic_index(content = 'films', text = 'title, overview', document = 'title');
INSERT INTO ix(ix) VALUES ('sync');
