-- Clusters: k-means over the vectors of an index, in SQL. A centroid is the mean of its rows,
-- vector_avg(); each row belongs to the nearest centroid.
.load build/rerank
.read sql/load_movies.sql

CREATE VIRTUAL TABLE movie_index USING semantic_index(content = 'movies', text = 'title, overview, tagline');
INSERT INTO movie_index(movie_index) VALUES ('sync');

CREATE TEMP TABLE points(id INTEGER PRIMARY KEY, embedding BLOB, cluster INTEGER);
INSERT INTO points(id, embedding) SELECT rowid, embedding FROM movie_index;

-- Six rows at equal steps are the first centroids.
CREATE TEMP TABLE centroids(cluster INTEGER PRIMARY KEY, embedding BLOB);
INSERT INTO centroids
SELECT row_number() OVER (ORDER BY id), embedding
  FROM points
 WHERE id % (SELECT count(*) / 6 FROM points) = 1
 LIMIT 6;

-- SQL has no loop: a round is a trigger, which runs once for each row that comes. SQLite takes the
-- cluster from the row of the max(). A cluster that loses all its rows goes.
CREATE TEMP TABLE rounds(n INTEGER PRIMARY KEY);
CREATE TEMP TRIGGER one_round AFTER INSERT ON rounds BEGIN
  UPDATE points SET cluster = nearest.cluster
    FROM (SELECT p.id, c.cluster, max(cosine_sim(p.embedding, c.embedding))
            FROM points AS p, centroids AS c
           GROUP BY p.id) AS nearest
   WHERE nearest.id = points.id;
  DELETE FROM centroids;
  INSERT INTO centroids SELECT cluster, vector_avg(embedding) FROM points GROUP BY cluster;
END;
WITH RECURSIVE ten(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM ten WHERE n < 10)
INSERT INTO rounds SELECT n FROM ten;

-- What each is about: the three films nearest to the centroid.
SELECT cluster, movies, group_concat(title, ', ') AS nearest
  FROM (SELECT p.cluster, m.title, count(*) OVER (PARTITION BY p.cluster) AS movies,
               row_number() OVER (PARTITION BY p.cluster
                                  ORDER BY cosine_sim(p.embedding, c.embedding) DESC, p.id) AS place
          FROM points AS p
          JOIN centroids AS c ON c.cluster = p.cluster
          JOIN movies AS m ON m.id = p.id)
 WHERE place <= 3
 GROUP BY cluster;
