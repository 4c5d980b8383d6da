"""Two copies of SQLite in one process, as two drivers bring them: Python's own and that of the
package apsw. The library serves one of them at a time, and refuses the other with a message."""
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import support  # noqa: E402

try:
    import apsw
except ImportError:
    apsw = None

REFUSED = (r"rerank: this library is in use by another copy of SQLite in this process \([0-9.]+\), "
           r"which has connections open: load a copy of its file under another name, such as "
           r"rerank2.so, for this one \([0-9.]+\)")


class Pythons:
    """A connection by Python's SQLite."""

    def __init__(self, path=":memory:", library=support.EXTENSION, check=True):
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=check)
        try:
            self.db.enable_load_extension(True)
            self.db.load_extension(library)
        except BaseException:
            self.db.close()
            raise

    def rows(self, sql, *arguments):
        return self.db.execute(sql, arguments).fetchall()

    def close(self):
        self.db.close()


class Apsws:
    """The same by apsw's."""

    def __init__(self, path=":memory:", library=support.EXTENSION, check=True):
        del check
        self.db = apsw.Connection(path)
        try:
            self.db.enable_load_extension(True)
            self.db.load_extension(library)
        except BaseException:
            self.db.close()
            raise

    def rows(self, sql, *arguments):
        return list(self.db.execute(sql, arguments))

    def close(self):
        self.db.close()


def use(db, text="bats"):
    """A bit of everything; one that made an index before goes on with it."""
    db.rows("CREATE VIRTUAL TABLE IF NOT EXISTS ix USING semantic_index()")
    db.rows("INSERT INTO ix(text) VALUES ('the bats of the cave'), ('love story'), (?)", text)
    found = db.rows("SELECT text, relevance FROM ix(?) ORDER BY relevance DESC LIMIT 1", text)
    assert found[0][0] == text, found
    assert db.rows("SELECT vector_dims(embed(?))", text) == [(384,)]
    assert db.rows("SELECT key FROM rerank('bats', '[\"cats\", \"bats\"]', 1)") == [(1,)]
    db.rows("SELECT rerank_config('threads', 2)")
    db.rows("SELECT count(*) FROM rerank_stats")


def use_local(db):
    """Weights and vocabularies are shared by all connections of a process."""
    if os.path.isdir(os.path.join(os.environ.get("RERANK_MODEL_PATH", ""), "test")):
        db.rows("SELECT embed('a bat', 'local:test/mean')")


def refused(kind, **options):
    try:
        kind(**options).close()
    except (sqlite3.Error, apsw.Error) as error:
        return str(error)
    return "loaded"


@unittest.skipIf(apsw is None, "apsw, which brings a SQLite of its own, is not there")
class TwoSqlites(unittest.TestCase):
    """Each test in a process of its own: it must not crash, and others have connections."""

    def run_in_process(self, name):
        code = "import test_two_sqlites as t; t.%s()" % name
        result = subprocess.run([sys.executable, "-B", "-X", "faulthandler", "-c", code],
                                cwd=os.path.dirname(os.path.abspath(__file__)), timeout=300,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(result.returncode, 0, result.stdout.decode("utf-8", "replace")[-3000:])

    def test_the_second_is_refused(self):
        self.run_in_process("second_is_refused")

    def test_the_second_opens_as_an_automatic_extension(self):
        self.run_in_process("second_opens_automatically")

    def test_a_copy_of_the_file(self):
        self.run_in_process("copy_of_the_file")

    def test_one_after_the_other(self):
        self.run_in_process("one_after_the_other")

    def test_a_load_that_failed_holds_nothing(self):
        self.run_in_process("failed_load")

    def test_threads(self):
        self.run_in_process("threads")


def both():
    return ((Pythons, Apsws), (Apsws, Pythons))


def expect(pattern, text):
    assert re.search(pattern, text), text


def second_is_refused():
    for first, second in both():
        db = first()
        use(db)
        for _ in range(3):
            expect(REFUSED, refused(second))
            use(db)
        more = first()
        use(more)
        db.close()
        expect(REFUSED, refused(second))
        use(more)
        use_local(more)
        more.close()


def second_opens_automatically():
    """By the entry point for it the library is not there, but nothing fails."""
    for first, second in both():
        db = first()
        other = (sqlite3.connect if second is Pythons else apsw.Connection)(":memory:")
        other.enable_load_extension(True)
        other.execute("SELECT load_extension(?, 'sqlite3_rerank_auto_init')",
                      (support.EXTENSION,)).fetchall()
        try:
            other.execute("SELECT rerank_version()")
        except (sqlite3.Error, apsw.Error) as error:
            expect("no such function", str(error))
        else:
            raise AssertionError("a function of the other's library")
        other.close()
        use(db)
        db.close()


def copy_of_the_file():
    library = support.EXTENSION if os.path.splitext(support.EXTENSION)[1] else \
        support.EXTENSION + ".so"
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "rerank2.so")
        shutil.copy(library, copy)
        for first, second in both():
            one, other = first(os.path.join(folder, "one.db")), second(
                os.path.join(folder, "other.db"), copy)
            for i in range(5):
                use(one, "text %d" % i)
                use(other, "text %d" % i)
                use_local(one)
                use_local(other)
            # The copy is that one's alone, too.
            expect(REFUSED, refused(first, library=copy))
            # A connection that has the library has it, whichever copy comes then.
            again = first(library=library)
            again.close()
            one.close()
            use(other)
            other.close()
            os.remove(os.path.join(folder, "one.db"))
            os.remove(os.path.join(folder, "other.db"))


def one_after_the_other():
    for _ in range(20):
        for kind in (Pythons, Apsws):
            dbs = [kind() for _ in range(3)]
            for db in dbs:
                use(db)
                use_local(db)
            # Statements may outlive close(): a connection is gone when they are.
            for db in dbs:
                db.close()


def failed_load():
    for first, second in both():
        os.environ["RERANK_LOCKED"] = "maybe"
        expect("RERANK_LOCKED must be", refused(first))
        del os.environ["RERANK_LOCKED"]
        db = second()
        use(db)
        db.close()


def threads():
    problems, loaded, seen = [], [0, 0], threading.Barrier(16)

    def work(number):
        kind = (Pythons, Apsws)[number % 2]
        try:
            seen.wait()
            for _ in range(30):
                try:
                    db = kind(check=False)
                except (sqlite3.Error, apsw.Error) as error:
                    expect(REFUSED, str(error))
                    continue
                loaded[number % 2] += 1
                use(db)
                db.close()
        except BaseException as error:
            problems.append("%d: %r" % (number, error))

    workers = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not problems, problems[:4]
    assert sum(loaded) > 0, loaded


if __name__ == "__main__":
    unittest.main()
