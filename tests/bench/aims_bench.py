"""aims_bench.py LIBRARY [--runs N] [NAME...]: all that has an aim, measured twice, beside it.

Runs the benchmarks that have aims one after the other, all of them N times (default: 2), so that
two figures of one thing are hours apart; prints what they print, and at the end each aim with its
figures. It is met when each of the runs has met it. NAME: of what to run, as below.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import aims
import machine

HERE = os.path.dirname(os.path.abspath(__file__))
BENCHES = {"exact": ["exact_bench.py"],
           "near": ["near_bench.py"],
           "small": ["near_bench.py", "--small"],
           "1M": ["near_bench.py", "--reach=1M"],
           "10M": ["near_bench.py", "--reach=10M"],
           "reach": ["index_bench.py", "--reach"],
           "filter": ["filter_bench.py"],
           "warm": ["warm_bench.py", "--aims"],
           "file": ["file_bench.py"],
           "plain": ["plain_bench.py"],
           "words": ["words_bench.py"],
           "local": ["local_bench.py"]}


def run(name, library, folder):
    """The figures of a benchmark; none, if it fails, which it shows."""
    path = os.path.join(folder, "aims")
    if os.path.exists(path):
        os.remove(path)
    script, *options = BENCHES[name]
    print(f"\n==== {name}: {' '.join([script, *options])}, {machine.facts()}", flush=True)
    subprocess.run([sys.executable, "-B", os.path.join(HERE, script), library, *options],
                   env={**os.environ, "RERANK_AIMS": path}, check=False)
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [aims.Figure(**row) for line in file for row in json.loads(line)]


def verdict(figures, runs):
    there = [figure for figure in figures if figure.value is not None]
    if figures[0].aim is None or not there:
        return figures[0].verdict()
    met = sum(figure.is_met() for figure in there)
    return "met" if met == runs else f"met in {met} of {runs}" if met else "not met"


def report(measured, runs):
    """measured: (bench, what) -> its figure in each run."""
    width = aims.head([figures[0] for figures in measured.values()], runs)
    for figures in measured.values():
        columns = "".join(f"{figure.measured():>14}" for figure in figures)
        print(f"{figures[0].what:{width}}{columns:<{14 * runs}}{figures[0].wanted():>18}  "
              f"{verdict(figures, runs)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", metavar="LIBRARY")
    parser.add_argument("names", metavar="NAME", nargs="*", default=list(BENCHES),
                        help=" ".join(BENCHES))
    parser.add_argument("--runs", type=int, default=2)
    options, measured, failed = parser.parse_intermixed_args(), {}, []
    for name in options.names:
        if name not in BENCHES:
            parser.error(f"{name} is none of {' '.join(BENCHES)}")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.runs):
            for name in options.names:
                figures = run(name, os.path.abspath(options.library), folder)
                failed += [] if figures else [name]
                for figure in figures:
                    measured.setdefault((name, figure.what), []).append(figure)
    minutes = (time.monotonic() - begun) / 60
    print(f"\n{machine.facts()}; {options.runs} runs in {minutes:.0f} minutes")
    report(measured, options.runs)
    for name in dict.fromkeys(failed):
        print(f"{name}: no figures, {failed.count(name)} of {options.runs} times")


if __name__ == "__main__":
    main()
