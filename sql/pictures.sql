-- Pictures from SQL: a vector, an index on a plane, and what a reranker changed. The files lie in
-- build/ and open in any browser; the last one is what the README shows.
.load build/rerank
.read sql/load_movies.sql

CREATE VIRTUAL TABLE movie_index USING semantic_index(
  content = 'movies', text = 'title, overview, tagline', document = 'title');
INSERT INTO movie_index(movie_index) VALUES ('sync');

-- Vectors as lines of bars; vector_barcode(embedding, 'svg') gives strips of colour.
SELECT vector_barcode(embedding) || ' ' || title
  FROM movie_index
 WHERE title IN ('Batman Begins', 'The Dark Knight', 'Toy Story')
 ORDER BY title;

-- The whole index on a plane: similar films lie near each other; the pointer shows their titles.
SELECT writefile('build/map.svg',
         '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1.05 -1.05 2.1 2.1">'
         || group_concat(printf('<circle cx="%.4f" cy="%.4f" r="0.01" fill="#0969da"><title>%s</title></circle>',
                                p.x, -p.y, replace(replace(m.title, '&', '&amp;'), '<', '&lt;')), char(10))
         || '</svg>') > 0
  FROM semantic_map('movie_index') AS p
  JOIN movies AS m ON m.id = p.key;

-- What `make demo` prints, drawn: 25 films retrieved, and which 5 of them the reranker finds most
-- relevant. rank_chart leaves out the films that have neither place.
CREATE TEMP TABLE retrieved AS
SELECT rowid AS id, rank AS place
  FROM movie_index('super hero mystery action movie about bats', 25);
CREATE TEMP TABLE reranked AS
SELECT rowid AS id, row_number() OVER (ORDER BY relevance DESC) AS place
  FROM movie_index('super hero mystery action movie about bats', 25)
 ORDER BY place LIMIT 5;
SELECT writefile('build/ranks.svg', rank_chart(m.title, before.place, after.place)) > 0
  FROM movies AS m
  LEFT JOIN retrieved AS before USING (id)
  LEFT JOIN reranked AS after USING (id);
