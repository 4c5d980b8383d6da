"""aims.py: figures beside what is aimed at, printed together at the end."""


class Aims:
    def __init__(self):
        self.rows = []

    def note(self, what, value, aim=None, is_least=False, unit="", form="{:.2f}", why=""):
        """value and aim: numbers; is_least: the value is to be at least the aim, else at most.
        Without an aim `why` says why it has none; without a value (None) it was not measured."""
        self.rows.append((what, value, aim, is_least, unit, form, why))

    def print(self):
        print(f"\n{'':58}{'measured':>14}{'aim':>18}", flush=True)
        for what, value, aim, is_least, unit, form, why in self.rows:
            measured = "-" if value is None else form.format(value) + unit
            wanted = "" if aim is None else (">= " if is_least else "<= ") + form.format(aim) + unit
            verdict = why
            if value is None:
                verdict = why or "not measured"
            elif aim is not None:
                verdict = "met" if (value >= aim if is_least else value <= aim) else "not met"
            print(f"{what:58}{measured:>14}{wanted:>18}  {verdict}", flush=True)
