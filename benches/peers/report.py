"""Makes docs/benchmarks.md from the figures."""

import os
import platform
import statistics
import subprocess
import textwrap
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bars import judge
from generators import version_of_wrk
from processes import LOADED
from systems import DIRTYD, ROOT, SERVERS, Dirtyd
from tables import line, mebibytes, milliseconds, plain, several, shown, start_of_table

COLUMNS = (
    ("calls/s", "per_second", plain), ("p50 ms", "p50_us", milliseconds), ("p99 ms", "p99_us", milliseconds),
    ("chunks/s", "chunks_per_second", plain), ("first chunk p50 ms", "first_p50_us", milliseconds),
    ("client CPU µs/call", "client_cpu_us", plain),
    ("front CPU µs/call", "front_cpu_us", plain), ("workers CPU µs/call", "workers_cpu_us", plain),
    ("front MiB", "front_memory", mebibytes), ("workers MiB", "workers_memory", mebibytes),
)  # fmt: skip
#: Columns that show the spread of the rounds.
SPREAD = ("per_second", "p50_us", "p99_us", "chunks_per_second", "first_p50_us")


@dataclass
class Run:
    """The command, its options, and when it started."""

    rounds: int
    quick: bool
    command: str
    started: float
    load_before: float


def render(run, results, floors, extras):
    """Returns the whole report. `extras` are the measurements that are not calls, each with its rounds."""
    parts = [head(run, results, extras), floors_text(floors), bars(results, extras, floors)]
    scenarios = {}
    for case, runs in results.items():
        scenarios.setdefault(case.scenario, []).append((case, runs))
    parts += [table(name, rows) for name, rows in scenarios.items()]
    parts += [f"## {title(extra)}\n\n{extra.text(rounds)}" for extra, rounds in extras.items()]
    return "\n\n".join(filter(None, parts)) + "\n"


def title(extra):
    """Returns the title of a measurement that is not calls."""
    return f"{extra.NAME[0].upper()}{extra.NAME[1:]}"


def note(run, results, extras):
    """Returns what a table says of its run, if it stands among those of another."""
    facts = " ".join(
        [
            f"A run of its own: `{run.command}` on {time.strftime('%Y-%m-%d')}, {several(run.rounds, 'round')},",
            f"{dirtyd()}, {machine()}; load average {run.load_before:.1f} before, {os.getloadavg()[0]:.1f} after.",
            *(f"**{warning}**" for warning in warnings(run, results, extras)),
        ]
    )
    return textwrap.fill(facts, 120, break_long_words=False, break_on_hyphens=False)


def head(run, results, extras):
    names = ("gunicorn", "mosec", "grpcio", "protobuf", "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    settings = "\n".join(f"| {system.name} | {system.settings} |" for system in SERVERS)
    notes = "".join(f"\n\n**{note}**" for note in warnings(run, results, extras))
    minutes = (time.time() - run.started) / 60
    return f"""# Benchmarks

Written by `{run.command}` on {time.strftime("%Y-%m-%d")}; do not edit. Each figure is the median of
{several(run.rounds, "round")}; a round takes every system in turn. ± is half the range of the rounds. Ratios are to
dirtyd in the same table: above 1, dirtyd has more calls a second. The run took {minutes:.0f} minutes.{notes}

{dirtyd()}, {output("rustc", "--version")}, {versions}, wrk {version_of_wrk()},
{machine()}.
Load average {run.load_before:.1f} before, {os.getloadavg()[0]:.1f} after.

The native client is `benches/load`, one thread, one connection for all its callers where the protocol lets them share;
to gunicorn it repeats the bytes that gunicorn's own client sends, to mosec it speaks HTTP/1.1 with keep-alive. To
whichever it speaks, it keeps freed memory (`GLIBC_TUNABLES`), as dirtyd does by itself: glibc's default would cost it
more per MiB than the fastest of them. wrk, with one thread, is a second witness for mosec. Python clients are threads
of one process, or tasks of one event loop: they share dirtyd's client, and have one of gunicorn's each, as
`get_dirty_client` of either has it. *Front* is what stands between caller and worker: the arbiter, mosec's server.
Actions are the same code everywhere: `benches/peers/bench.py`; 4 workers with one thread each unless said otherwise. On
*a busy machine* each processor also has a process that only computes, started with the case at the priority of all
others. Every setting that is not the system's default:

| system | settings |
| --- | --- |
{settings}"""


def dirtyd():
    commit = output("git", "describe", "--always", "--dirty", "--exclude=*")
    return f"{output(DIRTYD, '--version')} ({commit})"


def machine():
    facts = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((fact.split(": ")[1] for fact in facts if fact.startswith("model name")), "an unknown processor")
    return f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} × {model}"


def warnings(run, results, extras):
    """Yields the reasons why the figures should not be quoted."""
    if run.quick:
        yield "A quick run: one short round. Not to be quoted."
    shares = [taken["others"] for runs in results.values() for taken in runs if "others" in taken]
    shares += [taken.others for rounds in extras.values() for taken in rounds]
    if shares and (share := statistics.median(shares)) > LOADED:
        yield f"The machine was loaded: others took {share * 100:.0f} % of its processors. Not to be quoted."


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.strip()


def floors_text(floors):
    rows = "\n".join(f"| {name} | {shown(times, plain)} |" for name, times in floors.items())
    return f"## Floors\n\n100 B there and back over a socketpair:\n\n| other process | p50 µs |\n| --- | --- |\n{rows}"


def bars(results, extras, floors):
    """Returns the table of the bars, each with the ratio that was reached."""
    judged = list(judge(results, extras, floors))
    if not judged:
        return ""
    rows = [line(bar, wanted, reached, "yes" if holds else "**no**") for bar, wanted, reached, holds in judged]
    return "\n".join(["## Bars", "", start_of_table(["bar", "wanted", "reached", " "]), *rows])


def table(name, rows):
    columns = [column for column in COLUMNS if any(run.get(column[1]) for _, runs in rows for run in runs)]
    own = {}
    for case, runs in rows:
        if case.system is Dirtyd:
            own.setdefault(case.row, rate(runs))
    others = [run["others"] for _, runs in rows for run in runs if "others" in run]
    titles = [title for title, _, _ in columns]
    lines = [f"## {name}", "", start_of_table(["system", *titles, "failures", "dirtyd is"], others)]
    for case, runs in rows:
        cells = [shown([run.get(key) for run in runs], scale, key in SPREAD) for _, key, scale in columns]
        ours, theirs = own.get(case.row), rate(runs)
        ratio = f"{ours / theirs:.2f} ×" if ours and theirs and case.system is not Dirtyd else ""
        lines.append(line(case.label, *cells, sum(run["failures"] for run in runs), ratio))
    lines += [
        f"\n{case.label} failed: {reason}"
        for case, runs in rows
        for reason in sorted({run["failure"] for run in runs if run.get("failure")})
    ]
    return "\n".join(lines)


def rate(runs):
    rates = [run["per_second"] for run in runs if run.get("per_second")]
    return statistics.median(rates) if rates else None
