"""vector_barcode and rank_chart: whatever they are given, what they draw is SVG."""
import os
import random
import sys
import unittest
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import Base, blob  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
RANGES = ((0, 0x20), (0x20, 0x7F), (0x7F, 0xA0), (0xA0, 0x300), (0x3000, 0xD800), (0xE000, 0x10000),
          (0x10000, 0x110000))


def labels(n):
    """Texts of all kinds of characters, as bytes that are mostly UTF-8."""
    draw = random.Random(7)
    for _ in range(n):
        text = "".join(chr(draw.randrange(*draw.choice(RANGES))) for _ in range(draw.randrange(90)))
        data = bytearray(text.encode())
        if data and draw.random() < 0.3:
            data[draw.randrange(len(data))] = draw.randrange(256)
        yield bytes(data)


class PicturesTest(Base):
    def test_any_label_is_xml(self):
        for label in labels(400):
            svg = self.one("SELECT rank_chart(CAST(? AS TEXT), 1, 2)", label)
            shown = ElementTree.fromstring(svg).findall(f".//{SVG}text[@class='label']")
            self.assertEqual(len(shown), 2)
            self.assertLessEqual(len(shown[0].text or ""), 45)

    def test_any_labels_together(self):
        self.db.execute("CREATE TABLE t(label TEXT, before INT, after INT)")
        draw = random.Random(8)
        places = [None, *range(1, 12)]
        for label in labels(300):
            self.db.execute("INSERT INTO t VALUES (CAST(? AS TEXT), ?, ?)",
                            (label, draw.choice(places), draw.choice(places)))
        svg = self.one("SELECT rank_chart(label, before, after) FROM t")
        picture = ElementTree.fromstring(svg)
        drawn = self.rows("SELECT count(before), count(after), count(before + after), count(*) "
                          "FROM t WHERE coalesce(before, after) IS NOT NULL")[0]
        self.assertEqual(len(picture.findall(f".//{SVG}text[@class='label']")), drawn[0] + drawn[1])
        self.assertEqual(len(picture.findall(f".//{SVG}path")), drawn[2])
        self.assertEqual(len(picture.findall(f"{SVG}g")), drawn[3])
        height = float(picture.get("viewBox").split()[3])
        for text in picture.iter(f"{SVG}text"):
            self.assertLess(float(text.get("y")), height)
        shuffled = self.one("SELECT rank_chart(label, before, after) FROM "
                            "(SELECT * FROM t ORDER BY random())")
        self.assertEqual(shuffled, svg)

    def test_no_label_reaches_the_lines_or_the_movement(self):
        """As wide as it may be, its own picture ends before."""
        picture = ElementTree.fromstring(self.one("SELECT rank_chart(?, 7, 6)", "W" * 60))
        rooms = [(float(room.get("x")), float(room.get("width")))
                 for room in picture.findall(f".//{SVG}text[@class='label']/..")]
        self.assertEqual(len(rooms), 2)
        line = float(picture.find(f".//{SVG}path").get("d").split()[0][1:])
        moved = float(picture.find(f".//{SVG}text[@class='end moved']").get("x"))
        self.assertLess(sum(rooms[0]), line)
        self.assertLessEqual(sum(rooms[1]), moved - 30)

    def test_groups(self):
        rows = self.rows("SELECT column1, rank_chart('a', column2, 1) FROM "
                         "(VALUES ('x', 1), ('y', 2), ('x', 2)) GROUP BY column1")
        self.assertEqual([svg.count("<g ") for _, svg in rows], [2, 1])

    def test_a_barcode_is_xml(self):
        draw = random.Random(9)
        for dimensions in (1, 2, 384, 768):
            vector = blob(*(draw.gauss(0, 1) for _ in range(dimensions)))
            picture = ElementTree.fromstring(self.one("SELECT vector_barcode(?, 'svg')", vector))
            strips = picture.findall(f"{SVG}rect")
            self.assertEqual([int(strip.get("x")) for strip in strips], list(range(dimensions)))
            self.assertEqual(picture.get("viewBox"), f"0 0 {dimensions} 1")
            self.assertEqual(len(self.one("SELECT vector_barcode(?)", vector)), min(dimensions, 64))

    def test_in_views_and_generated_columns(self):
        self.db.execute("PRAGMA trusted_schema = off")
        self.db.execute("CREATE TABLE v(e BLOB, bars TEXT AS (vector_barcode(e)))")
        self.db.execute("INSERT INTO v VALUES (vector('[1, -1]'))")
        self.db.execute("CREATE VIEW c AS SELECT rank_chart(bars, 1, 1) AS svg FROM v")
        self.assertIn("\u2588\u2581", self.one("SELECT svg FROM c"))


if __name__ == "__main__":
    unittest.main()
