"""`make bench-peers`: runs every case in interleaved rounds and writes docs/benchmarks.md."""

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
    parser = argparse.ArgumentParser(prog="benches/peers", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one short round: to see that it works, not to quote",
    )
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", default="", help="cases whose scenario or system contains this")
    parser.add_argument("--output", type=Path, default=ROOT / "docs/benchmarks.md")
    options = parser.parse_args()
    started, rounds = time.time(), options.rounds or (1 if options.quick else 3)
    wanted = [case for case in cases(options.quick) if options.only in f"{case.scenario} {case.label}"]
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
    extra = held.streams() if not options.only else {}
    text = report.render(results, extra, rounds, time.time() - started, options.quick)
    print(text)
    if not options.only:
        options.output.parent.mkdir(exist_ok=True)
        options.output.write_text(text)


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
