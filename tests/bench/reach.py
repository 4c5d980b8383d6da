"""reach.py: what the index is to reach beside its peers, and whether a run of index_bench shows it.

An aim names the contenders whose figures it compares; `index_bench.py --reach` runs these and no
others.
"""
import dataclasses
import operator
import typing

import aims

AT_LEAST, AT_MOST = True, False
SMALL, SMALL_WIDE, LARGE, LARGE_WIDE = (100000, 384), (100000, 768), (1000000, 384), (1000000, 768)


@dataclasses.dataclass(frozen=True)
class Aim:
    work: str
    size: tuple                  # (rows, dimensions)
    text: str
    uses: tuple                  # names of contenders, whose figures `measure` takes
    measure: typing.Callable
    is_least: bool
    bound: float


def times_faster(ours, peer):
    return peer.median / ours.median


def figure(name):
    return operator.attrgetter(name)


def exact(size):
    work, mine = "exact cosine, warm", "ours-cosine"
    return [
        Aim(work, size, "times faster than sqlite-vec", (mine, "sqlite-vec-cosine"),
            times_faster, AT_LEAST, 8),
        Aim(work, size, "times faster than sqlite-vector", (mine, "sqlite-vector-full"),
            times_faster, AT_LEAST, 5),
        Aim(work, size, "times faster than sqlite-vector newest", (mine, "sqlite-vector-new-full"),
            times_faster, AT_LEAST, 5),
        Aim(work, size, "times faster than numpy, two threads", (mine, "numpy-2"), times_faster,
            AT_LEAST, 1),
        Aim(work, size, "times a read of the bytes, two threads", (mine, "read-float32"),
            lambda ours, read: ours.median / read.median, AT_MOST, 0.5),
        Aim("exact cosine, first query", size, "times faster than sqlite-vec",
            (mine, "sqlite-vec-cosine"), lambda ours, peer: peer.first / ours.first, AT_LEAST, 1),
    ]


def bits(size):
    work, mine = "bit", "ours-bit"
    return [
        Aim(work, size, "recall@25", (mine,), figure("recall"), AT_LEAST, 0.95),
        Aim(work, size, "times faster than sqlite-vec bit + rescore", (mine, "sqlite-vec-bit"),
            times_faster, AT_LEAST, 15),
        Aim(work, size, "ms, warm median", (mine,), figure("median"), AT_MOST, 10),
        Aim(work, size, "MB resident", (mine,), figure("megabytes"), AT_MOST, 1500),
    ]


AIMS = [
    *exact(SMALL),
    *exact(SMALL_WIDE),
    Aim("int8 + rescore", SMALL, "recall@25", ("ours-int8",), figure("recall"), AT_LEAST, 0.99),
    Aim("int8 + rescore", SMALL, "times faster than sqlite-vector preloaded",
        ("ours-int8", "sqlite-vector-preload"), times_faster, AT_LEAST, 5),
    Aim("int8 + rescore", SMALL, "times faster than sqlite-vector newest, preloaded",
        ("ours-int8", "sqlite-vector-new-preload"), times_faster, AT_LEAST, 5),
    *bits(LARGE),
    *bits(LARGE_WIDE),
    Aim("partitions", LARGE_WIDE, "recall@25", ("ours-partitions",), figure("recall"), AT_LEAST,
        0.98),
    Aim("partitions", LARGE_WIDE, "ms, warm median", ("ours-partitions",), figure("median"),
        AT_MOST, 1.5),
    Aim("partitions", LARGE_WIDE, "times the build rate of vectorlite",
        ("ours-partitions", "vectorlite"), lambda ours, peer: ours.rate / peer.rate, AT_LEAST, 10),
    Aim("inserting in one transaction", SMALL, "times the rate of sqlite-vec",
        ("ours-cosine", "sqlite-vec-cosine"), lambda ours, peer: ours.rate / peer.rate, AT_LEAST,
        1),
]


def needed():
    """(rows, dimensions) -> names of the contenders that the aims compare there."""
    names = {}
    for aim in AIMS:
        names.setdefault(aim.size, set()).update(aim.uses)
    return names


def report(results):
    """Prints the aims whose sizes were run; results: (rows, dimensions) -> name -> Figures."""
    table = aims.Aims()
    for aim in AIMS:
        if aim.size not in results:
            continue
        figures = [results[aim.size].get(name) for name in aim.uses]
        is_there = all(figure is not None and not figure.error for figure in figures)
        table.note(f"{aim.work}, {aim.size[0]:,} x {aim.size[1]}: {aim.text}",
                   aim.measure(*figures) if is_there else None, aim.bound, aim.is_least,
                   form="{:.3g}")
    if table.rows:
        table.print()
