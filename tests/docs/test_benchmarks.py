"""docs/benchmarks.md can take the tables of a part of the scenarios, and says then of which run they are."""

import importlib.util

from pages import ROOT

_spec = importlib.util.spec_from_file_location("page", ROOT / "benches/peers/page.py")
page = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(page)


def written(run: str, bars: str, tables: str) -> str:
    """Returns the page of a run: `bars` and `tables` have a letter for each."""
    rows = "".join(f"| {bar} | {run} |\n" for bar in bars)
    return (
        f"# Benchmarks\n\nWritten by {run}.\n\nLoad average {run}.\n\nMeasured as in {run}.\n\n| settings of {run} |\n"
        f"\n## Floors\n\n{run}\n\n## Bars\n\n| bar |\n| --- |\n{rows}"
        + "".join(f"\n## {name}\n\n{run}\n" for name in tables)
    )


OLD, NEW = written("old", bars="pq", tables="ac"), written("new", bars="qr", tables="bc")
MERGED = f"""# Benchmarks

Written by old.
{page.APART}

Load average old.

Measured as in new.

| settings of new |

## Floors

old

## Bars

| bar |
| --- |
| p | old |
| q | new |
| r | new |

## a

old

## b

a note

new

## c

a note

new
"""


def test_a_part_takes_the_place_of_its_tables_and_bars_and_leaves_the_others() -> None:
    assert page.merge(OLD, NEW, "a note", ["a", "b", "c"]) == MERGED


def test_the_same_part_can_come_again() -> None:
    assert page.merge(MERGED, NEW, "a note", ["a", "b", "c"]) == MERGED
