"""`make bench-peers`: runs every case in interleaved rounds and writes docs/benchmarks.md.

With `--only` it runs some of them and prints their tables: for whoever tunes.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import defaultdict
from itertools import groupby
from pathlib import Path

import held
import report
from processes import Cost
from scenarios import NATIVE, STOCK, cases
from systems import HERE, LOAD, ROOT, environment


def main():
    parser = command_line()
    options = parser.parse_args()
    started, rounds = time.time(), options.rounds or (1 if options.quick else 3)
    names = [*dict.fromkeys(case.scenario for case in cases(options.quick)), held.NAME]
    if options.list:
        print(*names, sep="\n")
        return
    chosen = {name for name in names if any(word in name for word in options.only or [""])}
    wanted = [case for case in cases(options.quick) if case.scenario in chosen and options.system in case.label]
    if not wanted and held.NAME not in chosen:
        parser.error("nothing has such a name; --list tells the names")
    results = defaultdict(list)
    for number in range(rounds):
        for (system, setup), group in groupby(sorted(wanted, key=start_key), key=start_of):
            print(
                f"round {number + 1}/{rounds}: {system.name} {dict(setup) or ''}",
                file=sys.stderr,
                flush=True,
            )
            with system(**dict(setup)) as running:
                for case in group:
                    results[case].append(run(case, running))
        report.floors(results, number)
    extra = held.streams() if held.NAME in chosen else {}
    text = report.render(results, extra, rounds, time.time() - started, options.quick)
    print(text)
    if not options.only and not options.system:
        options.output.parent.mkdir(exist_ok=True)
        options.output.write_text(text)


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
    add("--list", action="store_true", help="the names of the scenarios")
    add("--output", type=Path, default=ROOT / "docs/benchmarks.md")
    return parser


def start_of(case):
    return case.system, case.setup


def start_key(case):
    return case.system.name, case.setup


def run(case, system):
    """One measurement: the load generator's figures and the processes' costs."""
    cost = Cost(system)
    if case.client == NATIVE:
        target = system.load(case.action, case.ints, case.size)
        command = [
            LOAD,
            "streams" if case.streams else "calls",
            target,
            f"--connections={case.connections}",
        ]
    else:
        kind = "grpcio" if case.client == STOCK else system.python
        command = [
            sys.executable,
            HERE / "callers.py",
            kind,
            system.socket,
            *(["--stream"] if case.streams else []),
        ]
    command += [
        f"--callers={case.callers}",
        f"--seconds={case.seconds}",
        f"--action={case.action}",
    ]
    command += [f"--int={number}" for number in case.ints]
    command += [f"--size={case.size}"] if case.size is not None else []
    command = [str(part) for part in command]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment(), timeout=60)
    except subprocess.TimeoutExpired:
        return {"failures": 1, "failure": "it hung"}
    except subprocess.CalledProcessError as error:
        return {"failures": 1, "failure": error.stderr.strip()[-200:]}
    seen = json.loads(done.stdout)
    return seen | cost.per_call(seen["made"])


if __name__ == "__main__":
    main()
