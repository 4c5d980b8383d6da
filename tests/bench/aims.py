"""aims.py: figures beside what is aimed at, printed together at the end.

aims_bench.py reads them: where RERANK_AIMS names a file, each table is a line of it, in JSON.
"""
import dataclasses
import json
import os


@dataclasses.dataclass
class Figure:
    """Without an aim `why` says why it has none; without a value it was not measured."""
    what: str
    value: float = None
    aim: float = None
    is_least: bool = False   # the value is to be at least the aim, else at most
    unit: str = ""
    form: str = "{:.2f}"
    why: str = ""

    def is_met(self):
        return self.value >= self.aim if self.is_least else self.value <= self.aim

    def measured(self):
        return "-" if self.value is None else self.form.format(self.value) + self.unit

    def wanted(self):
        if self.aim is None:
            return ""
        return (">= " if self.is_least else "<= ") + self.form.format(self.aim) + self.unit

    def verdict(self):
        if self.value is None:
            return self.why or "not measured"
        return self.why if self.aim is None else "met" if self.is_met() else "not met"


def head(rows, runs=1):
    """The columns' names, and the width of the first."""
    width = max((len(row.what) for row in rows), default=0)
    names = [f"{'measured':>14}", *[f"{'again':>14}"] * (runs - 1)]
    print(f"\n{'':{width}}{''.join(names)}{'aim':>18}", flush=True)
    return width


class Aims:
    def __init__(self):
        self.rows = []

    def note(self, what, value, aim=None, is_least=False, unit="", form="{:.2f}", why=""):
        """value and aim: numbers; the rest as in Figure."""
        self.rows.append(Figure(what, value, aim, is_least, unit, form, why))

    def print(self):
        width = head(self.rows)
        for row in self.rows:
            print(f"{row.what:{width}}{row.measured():>14}{row.wanted():>18}  {row.verdict()}",
                  flush=True)
        if "RERANK_AIMS" in os.environ:
            with open(os.environ["RERANK_AIMS"], "a", encoding="utf-8") as file:
                json.dump([dataclasses.asdict(row) for row in self.rows], file)
                file.write("\n")
