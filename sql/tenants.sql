-- Tenants: one file and one index for many customers, each of whom sees only what is theirs.
.load build/rerank

CREATE TABLE notes(id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, text TEXT);
CREATE INDEX notes_by_tenant ON notes(tenant);  -- finds a tenant's rows without reading the others
INSERT INTO notes(tenant, text) VALUES
  ('acme',   'The anvil order ships on Monday.'),
  ('acme',   'Rockets must not be sold to coyotes.'),
  ('acme',   'Invoices are due after thirty days.'),
  ('globex', 'The hammock district needs more hammocks.'),
  ('globex', 'Invoices are paid on the first of each month.'),
  ('globex', 'The doomsday device is in the east wing.');

CREATE VIRTUAL TABLE note_index USING semantic_index(
  content = 'notes', text = 'text', upkeep = 'triggers');
INSERT INTO note_index(note_index) VALUES ('sync');

-- The condition is applied before the 2 nearest are taken: the rows of others take no place. They do
-- count for how rare a word is, and so for the order.
SELECT text FROM note_index('when are invoices due?', 2) WHERE tenant = 'acme' ORDER BY rank;

-- So that no query can forget it: the connection says who asks, and the application reads the view.
-- What is TEMP belongs to this connection alone. It guards against mistakes, not against SQL that a
-- tenant writes: for that each needs a file of their own.
CREATE TEMP TABLE session(tenant TEXT);
INSERT INTO session VALUES ('globex');
CREATE TEMP VIEW my_notes AS
SELECT query, k, rank, id, text FROM note_index WHERE tenant = (SELECT tenant FROM session);

SELECT text FROM my_notes WHERE query = 'when are invoices due?' AND k = 2 ORDER BY rank;
SELECT count(*) FROM my_notes WHERE query = 'rockets for coyotes' AND text LIKE '%coyotes%';

-- A tenant that leaves: the triggers take its rows out of the index too.
DELETE FROM notes WHERE tenant = 'globex';
SELECT count(*) FROM note_index;
