"""expected.py: what must be in the database, in dictionaries that know transactions."""
from dataclasses import dataclass, field


@dataclass
class State:
    """`tables`: the indexes that keep texts of their own, name -> {rowid: (text, vector)}.
    `options`: name -> (metric, quantize, whether it has words). `content`: {rowid: text}, what the
    index of a content table reads. `indexed`: {rowid: text} of the rows that this index has."""

    tables: dict = field(default_factory=dict)
    options: dict = field(default_factory=dict)
    content: dict = field(default_factory=dict)
    indexed: dict = field(default_factory=dict)

    def copy(self):
        return State({name: dict(table) for name, table in self.tables.items()},
                     dict(self.options), dict(self.content), dict(self.indexed))


class Expected:
    """`now` is what this connection sees, `committed` what others do."""

    def __init__(self):
        self.now, self.committed = State(), State()
        self.marks = []  # (savepoint, State)
        self.begun = False
        self.is_savepoint_first = False  # that began the transaction

    def done(self):
        """A statement has succeeded: outside a transaction it is committed."""
        if not self.begun:
            self.committed = self.now.copy()

    def begin(self):
        self.begun, self.is_savepoint_first = True, False

    def savepoint(self, name):
        if not self.begun:
            self.begun = self.is_savepoint_first = True
        self.marks.append((name, self.now.copy()))

    def rollback_to(self, name):
        while self.marks[-1][0] != name:
            self.marks.pop()
        self.now = self.marks[-1][1].copy()

    def release(self, name):
        while self.marks.pop()[0] != name:
            pass
        if not self.marks and self.is_savepoint_first:
            self.commit()

    def commit(self):
        self.marks, self.begun = [], False
        self.done()

    def rollback(self):
        self.now = self.committed.copy()
        self.commit()
