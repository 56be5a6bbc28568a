"""From figures to docs/benchmarks.md."""

import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from systems import HERE, LOAD, ROOT, Dirtyd

FLOORS = {"native": [], "python": []}
COLUMNS = (
    ("calls/s", "per_second", 1), ("p50 ms", "p50_us", 1e-3), ("p99 ms", "p99_us", 1e-3),
    ("chunks/s", "chunks_per_second", 1), ("first chunk p50 ms", "first_p50_us", 1e-3),
    ("front CPU µs/call", "front_cpu_us", 1), ("workers CPU µs/call", "workers_cpu_us", 1),
    ("front MiB", "front_memory", 2**-20), ("workers MiB", "workers_memory", 2**-20),
)  # fmt: skip


def floors(_results, _round):
    """A bare round trip over a socketpair, in each round of the others."""
    import json

    peers = {"native": [], "python": ["--peer", sys.executable, str(HERE / "pong.py")]}
    for name, peer in peers.items():
        done = subprocess.run(
            [LOAD, "pingpong", "--seconds=0.5", *peer],
            capture_output=True,
            text=True,
            check=True,
        )
        FLOORS[name].append(json.loads(done.stdout)["p50_us"])


def median(runs, key):
    values = [run[key] for run in runs if run.get(key) is not None]
    return statistics.median(values) if values else None


def spread(runs, key):
    """Half the range of the rounds, in percent of the median."""
    values = [run[key] for run in runs if run.get(key)]
    return (max(values) - min(values)) / 2 / statistics.median(values) * 100 if values else 0


def render(results, held, rounds, seconds, quick):
    parts = [head(rounds, seconds, quick), floors_text(), bars(results, held)]
    scenarios = {}
    for case, runs in results.items():
        scenarios.setdefault(case.scenario, []).append((case, runs))
    parts += [table(name, rows) for name, rows in scenarios.items()]
    if held:
        parts.append(
            f"## Memory\n\nThe arbiter with 4 workers at rest: {held['idle_memory'] / 2**20:.1f} MiB; "
            f"under {held['streams']} idle streams: {held['memory'] / 2**20:.1f} MiB."
        )
    return "\n\n".join(filter(None, parts)) + "\n"


def head(rounds, seconds, quick):
    names = ("gunicorn", "mosec", "grpcio", "protobuf", "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    dirtyd = subprocess.run(
        [ROOT / "target/release/dirtyd", "--version"], capture_output=True, text=True
    ).stdout.strip()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    ).stdout
    facts = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((fact.split(": ")[1] for fact in facts if fact.startswith("model name")), "an unknown processor")
    warning = "\n\n**A quick run: one short round. Not to be quoted.**" if quick else ""
    return f"""# Benchmarks

Written by `make bench-peers` on {time.strftime("%Y-%m-%d")}; do not edit. Each figure is the median of {rounds}
interleaved rounds, ± half their range; the run took {seconds / 60:.0f} minutes. Ratios are to dirtyd in the same
table: above 1, dirtyd has more calls a second.{warning}

{dirtyd} ({commit.strip()}), {versions}, Python {platform.python_version()}, Linux {platform.release()},
{os.cpu_count()} × {model}, load {os.getloadavg()[1]:.1f} at the end.

The native client is `benches/load`, one thread, one connection for all its callers where the protocol lets them share;
to gunicorn it repeats the bytes that gunicorn's own client sends, to mosec it speaks HTTP/1.1 with keep-alive. Python
clients are threads of one process. *Front* is what stands between caller and worker: the arbiter, mosec's server.
Actions are the same code everywhere: `benches/peers/bench.py`; 4 workers with one thread each unless said otherwise."""


def floors_text():
    rows = "\n".join(f"| {name} | {statistics.median(times):.1f} |" for name, times in FLOORS.items() if times)
    return f"## Floors\n\n100 B there and back over a socketpair:\n\n| other process | p50 µs |\n| --- | --- |\n{rows}"


def table(name, rows):
    columns = [column for column in COLUMNS if any(median(runs, column[1]) for _, runs in rows)]
    own = next(
        (median(runs, "per_second") for case, runs in rows if case.system is Dirtyd),
        None,
    )
    lines = [f"## {name}", ""]
    lines.append("| system | " + " | ".join(title for title, _, _ in columns) + " | ± % | failures | dirtyd is |")
    lines.append("| --- " * (len(columns) + 4) + "|")
    for case, runs in rows:
        cells = [number(median(runs, key), scale) for _, key, scale in columns]
        rate = median(runs, "per_second")
        ratio = f"{own / rate:.2f} ×" if own and rate and case.system is not Dirtyd else ""
        failures = sum(run["failures"] for run in runs)
        lines.append(
            f"| {case.label} | {' | '.join(cells)} | {spread(runs, 'per_second'):.0f} | {failures} | {ratio} |"
        )
    reasons = {run["failure"] for _, runs in rows for run in runs if run.get("failure")}
    lines += [f"\nA failure: `{reason}`" for reason in sorted(reasons)]
    return "\n".join(lines)


def number(value, scale):
    if value is None:
        return "–"
    value *= scale
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def bars(results, held):
    """The bars of the project, each with what was reached."""
    from bars import judge

    lines = ["## Bars", "", "| bar | wanted | reached | |", "| --- | --- | --- | --- |"]
    judged = list(judge(results, held, FLOORS))
    for bar, wanted, reached, holds in judged:
        lines.append(f"| {bar} | {wanted} | {reached} | {'yes' if holds else '**no**'} |")
    return "\n".join(lines) if judged else ""
