"""`sqlite-rerank index`: files become pieces with vectors, again only what changed.

The real command, with the real libraries from PyPI.
"""
import errno
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import packed  # noqa: E402
import support  # noqa: E402

BATS = "# Bats\n\nBats sleep in caves by day.\n\nAt night they hunt moths.\n"
TRAINS = "The night train to Vienna leaves at nine.\n"


def paragraphs(n, changed=None):
    """A long text; one of its paragraphs may be another."""
    return "\n\n".join(
        f"Paragraph {i}. " + ("It was rewritten. " if i == changed else "")
        + " ".join(f"word{i * 40 + j}" for j in range(40)) for i in range(n))


def pdf(*pages):
    """A PDF of a line a page."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>",
               "<< /Type /Pages /Kids [%s] /Count %d >>" % (
                   " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages))), len(pages)),
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    for i, text in enumerate(pages):
        drawn = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        objects += ["<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
                    " /Resources << /Font << /F1 3 0 R >> >> >>" % (5 + 2 * i),
                    f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream"]
    written, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(written))
        written += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    return (f"{written}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n"
            f"<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(written)}\n%%EOF\n")


class IndexTest(packed.CommandTest):
    def vectors(self):
        """What is stored: {(path, n): (piece, vector)}."""
        db = support.connect(self.path("notes.db"))
        self.addCleanup(db.close)
        return {(path, n): (piece, vector) for path, n, piece, vector in db.execute(
            "SELECT d.path, p.n, p.id, i.embedding FROM documents AS d"
            " JOIN pieces AS p ON p.document = d.id JOIN piece_index AS i ON i.rowid = p.id")}

    def test_only_what_changed_is_embedded_again(self):
        self.write("docs/bats.md", BATS)
        self.write("docs/trains.txt", TRAINS)
        self.write("docs/long.txt", paragraphs(60))
        first = self.report("docs")
        self.assertEqual((first["new"], first["skipped"]), (3, []))
        before = self.vectors()
        self.assertEqual(len(before), first["embedded"])
        self.assert_report("3 unchanged", "docs")

        os.rename(self.path("docs/bats.md"), self.path("docs/animals.md"))
        os.unlink(self.path("docs/trains.txt"))
        self.write("docs/long.txt", paragraphs(60, changed=50))
        self.write("docs/soup.md", "# Soup\n\nOnions and water.\n")
        report = self.report()
        self.assertEqual([report[kind] for kind in ("new", "changed", "moved", "gone")],
                         [1, 1, 1, 1])
        after = self.vectors()
        self.assertEqual(after[self.path("docs/animals.md"), 0],
                         before[self.path("docs/bats.md"), 0])
        kept = set(before.values()) & set(after.values())
        self.assertEqual(report["embedded"], len(after) - len(kept))
        self.assertLess(report["embedded"], 10)
        self.assertGreater(len(kept), 20)
        self.assertEqual(self.report("docs")["embedded"], 0)

    def test_what_is_told(self):
        self.write("docs/a.md", BATS)
        self.assertEqual(self.said("index", "notes.db", "docs"), "1 new, 1 piece embedded\n")
        self.assertEqual(self.said("index", "notes.db"), "1 unchanged, 0 pieces embedded\n")

    def test_touched_and_read_again(self):
        path = self.write("docs/a.md", BATS)
        self.report("docs")
        os.utime(path, (1, 1))
        self.assert_report("1 unchanged", "docs")
        self.write("docs/a.md", BATS + "\nThey are not birds.\n")
        os.utime(path, (1, 1))
        self.assert_report("1 changed, 1 embedded", "docs")

    def test_the_same_text_twice_and_pieces_that_are_equal(self):
        self.write("docs/a.txt", BATS)
        self.write("docs/b.txt", BATS)
        self.write("docs/c.txt", "\n\n".join(["so so"] * 900))
        self.report("docs")
        os.rename(self.path("docs/a.txt"), self.path("docs/z.txt"))
        self.assert_report("1 moved, 2 unchanged", "docs")
        self.write("docs/c.txt", "\n\n".join(["so so"] * 300))
        report = self.report("docs")
        self.assertEqual((report["changed"], report["moved"]), (1, 0))
        self.assertIn("so so", self.said("get", "notes.db", "docs/c.txt"))

    def test_files_by_name_and_folders_stay_apart(self):
        self.write("docs/a.md", BATS)
        self.write("docs/b.md", TRAINS)
        self.assert_report("1 new, 1 embedded", "docs/a.md")
        self.assert_report("1 new, 1 embedded", "docs/b.md")
        os.unlink(self.path("docs/a.md"))
        self.assert_report("1 gone, 1 unchanged")

    def test_a_folder_that_is_not_there_takes_nothing_with_it(self):
        self.write("docs/a.md", BATS)
        self.report("docs")
        os.rename(self.path("docs"), self.path("away"))
        self.refused("docs is not there: nothing was changed.*sqlite-rerank remove", "index",
                     "notes.db")
        self.said("remove", "notes.db", "docs")
        self.refused("knows no files", "index", "notes.db")

    def test_hidden_and_ignored_files_are_left_out(self):
        self.write("docs/.gitignore", "build/\n*.log\n!keep.log\n")
        for name in ("a.py", ".hidden/b.py", "build/c.py", "d.log", "keep.log", "node_modules/e.js",
                     "sub/f.py", "sub/build/g.py"):
            self.write(f"docs/{name}", f"def {os.path.basename(name)[0]}(): return 'bats'\n")
        self.report("docs")
        self.assertEqual({os.path.relpath(path, self.path("docs")) for path, _ in self.vectors()},
                         {"a.py", "keep.log", "sub/f.py"})

    def test_what_is_no_text_is_told_where_somebody_named_it(self):
        self.write("docs/a.md", BATS)
        self.write("docs/picture.png", b"\x89PNG\0\0")
        self.write("docs/broken.pdf", "no PDF at all")
        self.write("docs/latin.txt", "Caf\u00e9".encode("latin-1"))
        self.write("docs/empty.md", "")
        report = self.assert_report("2 new, 1 embedded", "docs")
        self.assertEqual([os.path.basename(path) for path, _ in report["skipped"]],
                         ["broken.pdf", "latin.txt"])
        report = self.report("docs/picture.png")
        self.assertEqual(report["skipped"][0][1], "it is binary")
        _, out, err = self.run_command("index", "notes.db", "docs/latin.txt")
        self.assertEqual(out, "0 pieces embedded\n")
        self.assertIn("left out: docs/latin.txt: it is not UTF-8 (at byte 3)", err)

    def test_several_runs_at_once(self):
        for i in range(40):
            self.write(f"docs/{i}.txt", paragraphs(10, changed=i))
        runs = [self.start("index", "notes.db", "docs", "--json") for _ in range(3)]
        made = []
        for run in runs:
            with run:
                out, err = run.communicate(timeout=120)
                self.assertEqual(run.returncode, 0, err)
                made.append(json.loads(out))
        self.assertEqual(sum(run["new"] for run in made), 40)
        self.assertEqual(self.report("docs")["unchanged"], 40)
        self.assertIn('"pending": 0', self.said("status", "notes.db", "--json"))

    def test_names_that_are_no_text(self):
        self.write("docs/a.md", BATS)
        with open(os.path.join(os.fsencode(self.path("docs")), b"b\xff.md"), "wb") as file:
            file.write(b"# Odd\n")
        report = self.assert_report("1 new, 1 embedded", "docs")
        self.assertEqual(report["skipped"], [[self.path("docs/b?.md"), "its name is not UTF-8"]])
        self.refused("not UTF-8", "search", "notes.db", os.fsdecode(b"bats \xff"))

    def test_files_that_are_wrong_in_many_ways(self):
        self.write("docs/deep.json", "[" * 200000)
        self.write("docs/deep.jsonl", "[" * 200000)
        self.write("docs/deep.html", "<div>" * 20000 + "x")
        self.write("docs/odd.html", "<![x y<p>bats")
        self.write("docs/odd.csv", 'a,b\n"x\n1,2,3,4\n')
        self.write("docs/cut.pdf", pdf("Whales sing")[:200])
        self.write("docs/none.jsonl", "null\n[]\n{}\n")
        self.write("docs/null.json", '[{"\\u0000": "\\ud800"}]')
        os.truncate(self.write("docs/large.txt", ""), 300 << 20)
        report = self.report("docs")
        told = {os.path.basename(path): why for path, why in report["skipped"]}
        self.assertTrue({"cut.pdf", "deep.jsonl"} <= set(told), told)
        self.assertEqual(told["large.txt"], "it is larger than 256 MiB")
        self.assertEqual(self.report("docs")["embedded"], 0)

    def test_every_kind_of_file(self):
        self.write("docs/page.html", "<html><head><title>Cave</title><style>x{}</style></head>"
                   "<body><nav>menu</nav><p>A <b>cold</b> cave, <a href='x'>far</a> off.</p>")
        self.write("docs/book.pdf", pdf("Whales sing under water", "Ships sail upon it"))
        self.write("docs/front.md", "---\nlayout: x\ntitle: 'Of onions'\n---\nOnion soup.\n")
        self.write("docs/wide.txt", "Gr\u00fc\u00dfe aus Wien".encode("utf-16"))
        self.write("docs/code.c", "int main(void)\n{\n    return parse_arguments();\n}\n")
        self.write("docs/films.csv", "name;year;plot\nBatman;1989;a hero\nUp;2009;balloons\n")
        self.write("docs/one.json", '{"compilerOptions": {"strict": true}}')
        self.write("docs/rows.json", '[{"title": "Moth", "tags": ["light", "wings"]}, {"n": 1}]')
        self.write("docs/rows.jsonl", '{"subject": "Rain", "body": "umbrellas"}\n\n"only words"\n')
        self.report("docs")
        db = support.connect(self.path("notes.db"))
        self.addCleanup(db.close)
        stored = {(os.path.basename(path), record, place): (title, text)
                  for path, record, place, title, text in db.execute(
                      "SELECT d.path, d.record, p.place, d.title, p.text FROM documents AS d"
                      " JOIN pieces AS p ON p.document = d.id")}
        self.assertEqual(stored["page.html", 0, None], ("Cave", "A **cold** cave, far off."))
        self.assertEqual(stored["front.md", 0, 1][0], "Of onions")
        self.assertEqual(stored["wide.txt", 0, 1], (None, "Gr\u00fc\u00dfe aus Wien"))
        self.assertEqual(stored["films.csv", 1, None], ("Batman", "year: 1989\nplot: a hero"))
        self.assertEqual(stored["rows.json", 1, None], ("Moth", "tags: light, wings"))
        self.assertEqual(stored["rows.json", 2, None], (None, "n: 1"))
        self.assertEqual(stored["rows.jsonl", 2, None], (None, "only words"))
        self.assertIn("strict", stored["one.json", 0, 1][1])
        self.assertIn("Whales sing", stored["book.pdf", 0, 1][1])
        self.assertIn(("code.c", 0, 1), stored)

    def test_folders_that_are_odd(self):
        os.makedirs(self.path("docs/sub"))
        os.symlink("itself", self.path("docs/itself"))
        os.symlink("nowhere", self.path("docs/broken.md"))
        os.symlink("..", self.path("docs/sub/up"))
        self.write("docs/.gitignore", "!\n\\\ntrains.txt\n")  # Git passes over what is no pattern
        self.write("docs/bats.md", BATS)
        self.write("docs/trains.txt", TRAINS)
        folder = os.open(self.path("docs/sub"), os.O_RDONLY)
        for _ in range(1200):  # deeper than calls may be
            os.mkdir("a", dir_fd=folder)
            inner = os.open("a", os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = inner
        with open(os.open("deep.txt", os.O_CREAT | os.O_WRONLY, dir_fd=folder), "w",
                  encoding="utf-8") as file:
            file.write(TRAINS)
        os.close(folder)
        self.addCleanup(subprocess.run, ["rm", "-rf", self.path("docs")], check=True)
        report = self.assert_report("2 new, 2 embedded", "docs")
        self.assertEqual(report["skipped"], [])

    def test_files_without_an_end_or_too_deep(self):
        self.write("deep.html", "<div>" * 5000)
        self.write("deep.json", "[" * 100_000)
        self.write("deep.jsonl", "[" * 100_000)
        self.write("front.md", "---\n" + "title: x\n" * 20_000)  # and no end of the front matter
        report = self.report("/dev/zero", "deep.html", "deep.json", "deep.jsonl",
                             "front.md")
        self.assertEqual(report["new"], 1)
        self.assertEqual([why for _, why in report["skipped"]],
                         ["it is no file"] + ["it is nested too deeply"] * 3)

    def test_quotes_of_a_csv_that_come_late(self):
        self.write("rows.csv", "title,text,more\n" + "row,it's plain,z\n" * 600
                   + '"last","he said ""hi, there"", and left",end\n')
        self.report("rows.csv")
        self.assertTrue(self.said("get", "notes.db", "rows.csv").endswith(
            'text: he said "hi, there", and left\nmore: end\n'))

    def test_records_are_told_apart_by_what_they_say(self):
        lines = [f'{{"title": "film {i}", "plot": "story {i}"}}' for i in range(5)]
        self.write("films.jsonl", "\n".join(lines))
        self.assert_report("5 new, 5 embedded", "films.jsonl")
        self.write("films.jsonl", "\n".join(['{"title": "first"}', *lines]))
        self.assert_report("1 new, 5 unchanged, 1 embedded", "films.jsonl")
        lines[2] = '{"title": "film 2", "plot": "another story"}'
        self.write("films.jsonl", "\n".join(['{"title": "first"}', *lines[:4]]))
        self.assert_report("1 changed, 1 gone, 4 unchanged, 1 embedded", "films.jsonl")

    def test_the_sql_of_it_does_the_same(self):
        self.write("docs/bats.md", BATS)
        self.write("docs/quoted.txt", "it's; a 'quoted'\n.text\n/\n")
        script = self.said("index", "notes.db", "docs", "--sql")
        self.assertFalse(os.path.exists(self.path("notes.db")))
        self.shell(script)
        self.assert_report("2 unchanged", "docs")
        self.assertEqual(len(self.vectors()), 2)
        self.write("docs/bats.md", BATS + "More.\n")
        os.unlink(self.path("docs/quoted.txt"))
        self.shell(self.said("index", "notes.db", "docs", "--sql"))
        self.assert_report("1 unchanged", "docs")

    def test_the_sql_of_another_model(self):
        self.write("bats.md", BATS)
        said = self.said("index", "notes.db", "bats.md", "--model", "builtin:lexical", "--sql")
        self.assertIn("model = 'builtin:lexical'", said)
        self.shell(said)
        self.assertEqual(self.found("bats")[0]["title"], "Bats")

    def test_databases_by_odd_names(self):
        self.write("bats.md", BATS)
        for name in ("a b?c=1#%41.db", "it's \"q\".db", "new\nline.db", os.fsdecode(b"\xff.db")):
            self.said("index", name, "bats.md")
            self.assertIn("Bats", self.said("search", name, "bats"))
            self.assertTrue(os.path.getsize(self.path(name)))
        self.refused("unable to open", "index", "", "bats.md")

    def test_ctrl_c_leaves_whole_files(self):
        self.write("docs/a.md", BATS)
        pipe = self.path("pipe.txt")  # reading it waits until somebody has written
        os.mkfifo(pipe)
        with self.start("index", "notes.db", "docs/a.md", "pipe.txt", "--json") as process:
            end = self.write_end(pipe, process)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            os.close(end)
        self.assertEqual((process.returncode, out), (130, ""))
        self.assertIn("stopped: 1 new, 0 pieces embedded, 1 not embedded yet", err)
        _, _, err = self.run_command("search", "notes.db", "bats")
        self.assertIn("1 pieces are not in the index: sqlite-rerank status notes.db", err)
        os.unlink(pipe)
        self.assert_report("1 unchanged, 1 embedded", "docs/a.md")

    def test_ctrl_c_while_a_model_is_waited_for(self):
        self.write("docs/a.md", BATS)
        with socket.create_server(("127.0.0.1", 0)) as server:  # it never answers
            server.settimeout(60)
            self.environment.update(
                OPENAI_API_KEY="test-key",
                OPENAI_BASE_URL=f"http://127.0.0.1:{server.getsockname()[1]}/v1")
            with self.start("index", "notes.db", "docs", "--model", "openai:m") as process:
                asked, _ = server.accept()
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=60)
                asked.close()
        self.assertEqual((process.returncode, out), (130, ""), err)
        self.assertIn("stopped: 1 new, 0 pieces embedded, 1 not embedded yet", err)

    def write_end(self, pipe, process):
        """Of a pipe, once the process has opened the other end."""
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None:
            try:
                return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                self.assertEqual(error.errno, errno.ENXIO)
                time.sleep(0.02)
        self.fail("nobody reads the pipe")

    def test_bars_on_a_terminal(self):
        self.write("docs/a.md", BATS)
        ours, theirs = pty.openpty()
        with subprocess.Popen(
                [sys.executable, "-B", "-m", "sqlite_rerank", "index", "notes.db", "docs"],
                cwd=self.folder, stdout=subprocess.DEVNULL, stderr=theirs,
                env={**self.environment, "TERM": "xterm"}) as process:
            os.close(theirs)
            drawn = b""
            while True:
                try:
                    part = os.read(ours, 4096)
                except OSError:  # the other end is closed
                    break
                drawn += part
                if not part:
                    break
        os.close(ours)
        self.assertEqual(process.returncode, 0, drawn)
        self.assertIn(b"reading", drawn)


if __name__ == "__main__":
    unittest.main()
