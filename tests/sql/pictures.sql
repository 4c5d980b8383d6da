-- vector_barcode: a vector as a line of bars. The middle is zero.
SELECT vector_barcode('[-4, -3, -2, -1, 0, 1, 2, 3, 4]'), vector_barcode(vector('[1, -1]')), vector_barcode('[0, 0]');
SELECT vector_barcode('[1e38, -3e38]'), vector_barcode('[1e-45]'), vector_barcode('[-0.0]');

-- A bar a dimension, up to 64; beyond that the largest of some.
CREATE TABLE waves(n INT, wave);
INSERT INTO waves WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 639)
SELECT column1, json_group_array(round(sin(i * 6.2832 / column1), 6))
  FROM c, (VALUES (63), (64), (65), (640)) WHERE i < column1 GROUP BY column1;
SELECT n, length(vector_barcode(wave)), vector_barcode(wave) FROM waves ORDER BY n;

-- As SVG a strip a dimension.
SELECT vector_barcode('[-2, -1, 0, 1, 2]', 'svg');
SELECT vector_barcode('[0]', 'SVG');
SELECT length(vector_barcode(zeroblob(4 * 65536), 'svg')) > 1000000;

-- NULL is NULL; what is no vector is refused, as is another form.
SELECT vector_barcode(NULL) IS NULL, vector_barcode('[1]', NULL) IS NULL, vector_barcode(NULL, 'png') IS NULL;
SELECT vector_barcode('[1]', 'png');
SELECT vector_barcode('[1]', x'00');
SELECT vector_barcode('[]');
SELECT vector_barcode('a text');
SELECT vector_barcode(7);
SELECT vector_barcode(x'000000');
SELECT vector_barcode(x'0000c07f');
SELECT vector_barcode();

-- rank_chart: places before and after, in whatever order rows come; NULL is none.
SELECT rank_chart(column1, column2, column3)
  FROM (VALUES ('falls', 1, 3), ('rises', 2, 1), ('stays', 4, 4), ('goes', 3, NULL), ('comes', NULL, 2));
SELECT (SELECT rank_chart(column1, column2, column3) FROM (VALUES ('b', 2, 1), ('a', 1, 2), ('a', 1, 2)))
     = (SELECT rank_chart(column1, column2, column3) FROM (VALUES ('a', 1, 2), ('a', 1, 2), ('b', 2, 1)));

-- Labels are XML, cut where they are long, and may lack.
CREATE TABLE odd(label, place INTEGER PRIMARY KEY);
INSERT INTO odd(label) VALUES ('a < b & c > "d"'), (NULL), (''), (7), (char(9, 10, 0, 31, 65534)), (CAST(x'80ff' AS TEXT)),
  (printf('%.*c', 44, 'x')), (printf('%.*c', 45, 'x')), (replace(printf('%.*c', 30, 'x'), 'x', '犬')),
  (printf('%.*c', 1000000, '&'));
SELECT rank_chart(label, place, place) FROM odd;

-- Without rows there is no chart; rows without a place are left out.
SELECT rank_chart(label, place, place) IS NULL FROM odd WHERE 0;
SELECT rank_chart(label, NULL, NULL) IS NULL FROM odd;

-- What is wrong is said.
SELECT rank_chart('a', 0, 1);
SELECT rank_chart('a', 1, 'first');
SELECT rank_chart('a', 1.5, 1);
SELECT rank_chart('a', 1, 1000000);
SELECT rank_chart(x'61', 1, 1);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1001) SELECT rank_chart(i, i, i) FROM c;
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000)
SELECT length(rank_chart(i, i, 1001 - i)) > 100000 FROM c;
SELECT rank_chart('a', 1);
