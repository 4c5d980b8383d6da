"""random_model.py: statements of every kind on semantic_index, beside dictionaries.

    random_model.py [--runs N] [--steps N] [--seed N] [--log N] [--apsw]

Each run (run.py) has its own seed, so one that differs can be run again: --seed N --runs 1 --log
1000 shows its last 1000 statements. --apsw takes the SQLite that PyPI's apsw brings. The exit
status is 1 when a run differs.
"""
import argparse
import os
import random
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from compare import Difference  # noqa: E402
from connections import Plain, with_apsw  # noqa: E402
from run import Run  # noqa: E402


def difference(seed, n_steps, opener, n_logged=14):
    """What differs in the run of that seed, and its last statements; None if nothing does."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(random.Random(seed), opener, os.path.join(folder, "model.db"))
        try:
            run.steps(n_steps)
        except Difference as found:
            lines = [f"seed {seed}: {found}"]
            lines += [f"    {sql} {bindings or ''}" for sql, bindings in run.log[-n_logged:]]
            return "\n".join(lines)
        finally:
            run.close()
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=int, default=14)
    parser.add_argument("--apsw", action="store_true")
    options = parser.parse_args()
    opener = with_apsw() if options.apsw else Plain
    n_different = 0
    for seed in range(options.seed, options.seed + options.runs):
        found = difference(seed, options.steps, opener, options.log)
        if found is not None:
            n_different += 1
            print(found, flush=True)
    print(f"SQLite {opener.version}: {options.runs} runs of {options.steps} steps: "
          f"{n_different} differ")
    return 1 if n_different else 0


if __name__ == "__main__":
    sys.exit(main())
