"""`make bench-peers`: runs every case in interleaved rounds and writes docs/benchmarks.md.

With `--only` it runs some of the cases and prints their tables, for use while tuning; with `--merge` as well these
tables take the place of the earlier ones in docs/benchmarks.md.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import generators
import idle_streams
import in_flight
import paced
import page
import report
from processes import Others
from scenarios import cases
from systems import HERE, LOAD, ROOT

#: Measurements that are not the calls of a case.
EXTRAS = {extra.NAME: extra for extra in (idle_streams, in_flight, paced)}


class Measured(NamedTuple):
    """The figures of one round of an extra measurement, and the share of the processors that others took."""

    figures: dict
    others: float


def main():
    parser = command_line()
    options = parser.parse_args()
    rounds = options.rounds or (1 if options.quick else 3)
    command = " ".join(["make bench-peers", *(f"ARGS='{' '.join(sys.argv[1:])}'" for _ in sys.argv[1:2])])
    run = report.Run(rounds, options.quick, command, time.time(), os.getloadavg()[0])
    names = [*dict.fromkeys(case.scenario for case in cases(options.quick)), *EXTRAS]
    if options.list:
        print(*names, sep="\n")
        return
    chosen = {name for name in names if any(word in name for word in options.only or [""])}
    wanted = [case for case in cases(options.quick) if case.scenario in chosen and options.system in case.label]
    extras = [extra for name, extra in EXTRAS.items() if name in chosen]
    if not wanted and not extras:
        parser.error("nothing has such a name; --list tells the names")
    # In the order of the scenarios, whatever order the systems have.
    results, floors, measured = {case: [] for case in wanted}, defaultdict(list), defaultdict(list)
    for number in range(rounds):
        for (system, setup), group in groupby(sorted(wanted, key=start_key), key=start_of):
            tell(f"round {number + 1}/{rounds}: {system.name} {dict(setup) or ''}")
            with system(**dict(setup)) as running:
                for case in group:
                    results[case].append(generators.run(case, running))
        for extra in extras:
            tell(f"round {number + 1}/{rounds}: {extra.NAME}")
            others = Others()
            measured[extra].append(Measured(extra.measure(options.quick), others.share()))
        measure_floors(floors)
    text = report.render(run, results, floors, measured)
    print(text)
    if options.merge:
        order = [*dict.fromkeys(case.scenario for case in cases(quick=False)), *map(report.title, EXTRAS.values())]
        text = page.merge(options.output.read_text(), text, report.note(run, results, measured), order)
    if options.merge or not (options.only or options.system):
        options.output.parent.mkdir(exist_ok=True)
        options.output.write_text(text)


def measure_floors(floors):
    """Measures a bare round trip over a socketpair in each round."""
    for name, peer in {"native": [], "python": ["--peer", sys.executable, HERE / "pong.py"]}.items():
        floors[name].append(generators.ask([LOAD, "pingpong", "--seconds=0.5", *peer]).get("p50_us"))


def tell(progress):
    print(progress, file=sys.stderr, flush=True)


def start_of(case):
    return case.system, case.setup


def start_key(case):
    return case.system.name, case.setup


def command_line():
    parser = argparse.ArgumentParser(prog="benches/peers", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--quick", action="store_true", help="one short round: to see that it works, not to quote")
    add("--rounds", type=int, help="how often everything is measured, in turns (3)")
    add(
        "--only",
        nargs="+",
        action="extend",
        metavar="WORDS",
        help="only the scenarios that have one of these in their names; prints, and writes no file",
    )
    add("--system", default="", help="only the systems and clients that have this in their label; writes no file")
    add("--merge", action="store_true", help="puts the tables into the file, which keeps its others")
    add("--list", action="store_true", help="the names of the scenarios")
    add("--output", type=Path, default=ROOT / "docs/benchmarks.md")
    return parser


if __name__ == "__main__":
    main()
