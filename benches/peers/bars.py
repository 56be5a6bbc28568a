"""The bars: ratios that must hold within one run. Each is the median of the ratios of the rounds."""

import statistics

import idle_streams
import scenarios
from scenarios import PYTHON, STOCK
from systems import Dirtyd, Gunicorn, Mosec


class Figures:
    """Looks figures up by scenario, system and client."""

    def __init__(self, results):
        self.results = results

    def __call__(self, key, scenario, system=Dirtyd, client="native", setup=None, row=""):
        """Returns one figure per round, and None for a round that failed."""
        for case, runs in self.results.items():
            found = (case.scenario, case.system, case.client, case.row) == (scenario, system, client, row)
            if found and setup in (None, case.setup):
                return [run.get(key) for run in runs]
        return []

    def has(self, scenario):
        return any(case.scenario == scenario and case.system is Dirtyd for case in self.results)

    def failures(self, scenario):
        return sum(
            run["failures"] for case, runs in self.results.items()
            if case.scenario == scenario and case.system is Dirtyd for run in runs
        )  # fmt: skip


def judge(results, extras, floors):
    """Yields each bar that was measured: its name, the wanted ratio, the reached ratio, and whether the bar holds."""
    figure = Figures(results)
    for name, relation, limit, reached, base in sorted(ratios(figure, floors), key=number):
        base = base if isinstance(base, list) else [base] * len(reached)
        rounds = [mine / other for mine, other in zip(reached, base, strict=False) if mine and other]
        if rounds:
            ratio = statistics.median(rounds)
            holds = ratio <= limit if relation == "≤" else ratio >= limit
            range_of_it = f" ({min(rounds):.2f}–{max(rounds):.2f})" if len(rounds) > 1 else ""
            yield name, f"{relation} {limit} ×", f"{ratio:.2f} ×{range_of_it}", holds
    yield from memory(extras)
    overloads = ("throughput_10ms", "overload_10ms")
    if all(map(figure.has, overloads)):
        failed = sum(map(figure.failures, overloads))
        yield f"3 failures of {' and '.join(overloads)}", "0", str(failed), not failed


def number(bar):
    return bar[0].partition(" ")[0]


def ratios(figure, floors):
    """Returns each bar's name, relation, limit, and the two figures whose ratio is compared with the limit."""
    return [
        ("1 one caller, Rust client: p50 to two socketpair round trips", "≤", 1.3,
         figure("p50_us", "echo 100 B, 1 caller"), [2 * time for time in floors["native"]]),
        ("1 one caller, stock grpcio: p50 to gunicorn's client and arbiter", "≤", 0.7,
         figure("p50_us", "echo 100 B, 1 caller", Dirtyd, STOCK),
         figure("p50_us", "echo 100 B, 1 caller", Gunicorn, PYTHON)),
        ("2 64 callers: calls per second to gunicorn's", "≥", 3.5,
         figure("per_second", "echo 100 B, 64 callers"), figure("per_second", "echo 100 B, 64 callers", Gunicorn)),
        ("2 64 callers: calls per second to mosec's", "≥", 1.25,
         figure("per_second", "echo 100 B, 64 callers"), figure("per_second", "echo 100 B, 64 callers", Mosec)),
        ("3 throughput_10ms: calls per second to 400", "≥", 0.98, figure("per_second", "throughput_10ms"), 400),
        ("3 throughput_10ms: p99 to p50", "≤", 1.1,
         figure("p99_us", "throughput_10ms"), figure("p50_us", "throughput_10ms")),
        ("3 overload_10ms: calls per second to 400", "≥", 0.98, figure("per_second", "overload_10ms"), 400),
        ("3 overload_10ms: p99 to p50", "≤", 1.1, figure("p99_us", "overload_10ms"), figure("p50_us", "overload_10ms")),
        ("4 1 MiB results: calls per second to gunicorn's", "≥", 5,
         figure("per_second", "1 MiB results"), figure("per_second", "1 MiB results", Gunicorn)),
        ("5 8 streams: chunks per second to gunicorn's", "≥", 4,
         figure("chunks_per_second", "streams of 200 tokens, 8 at once"),
         figure("chunks_per_second", "streams of 200 tokens, 8 at once", Gunicorn)),
        ("5 one stream: first chunk to an Execute", "≤", 2,
         figure("first_p50_us", "streams of 200 tokens, 1 at once"), figure("p50_us", "echo 100 B, 1 caller")),
        ("7 8 threads on 10 ms sleeps to 1 thread", "≥", 7.5,
         figure("per_second", "10 ms sleeps in one worker", setup=(("workers", 1), ("threads", 8))),
         figure("per_second", "10 ms sleeps in one worker", setup=(("workers", 1), ("threads", 1)))),
        ("8 64 workers: arbiter CPU per call to 4 workers", "≤", 1.1, *cost(figure, (("workers", 64),))),
        ("8 100 apps: arbiter CPU per call to 1 app", "≤", 1.1, *cost(figure, (("workers", 4), ("apps", 100)))),
        ("6 10,000 callers at once: arbiter CPU per call to 64", "≤", 1.1,
         figure("front_cpu_us", "10000 callers at once"), figure("front_cpu_us", "64 callers at once")),
        *python_clients(figure, busy=False, calls=3, chunks=4, p50=0.6),
        *python_clients(figure, busy=True, calls=1.5, chunks=1.5, p50=0.8),
    ]  # fmt: skip


def python_clients(figure, busy, calls, chunks, p50):
    """Yields the bars of dirtyd's Python client to gunicorn's: the rates of all rows, and the latency of one caller."""
    for case in scenarios.python_clients(busy):
        if case.system is not Dirtyd:
            continue
        bars = [("calls per second", "per_second", "≥", calls)]
        if case.streams:
            bars = [("chunks per second", "chunks_per_second", "≥", chunks)]
        elif case.callers == 1:
            bars.append(("p50", "p50_us", "≤", p50))
        for title, key, relation, limit in bars:
            mine, theirs = (
                figure(key, case.scenario, system, case.client, row=case.row) for system in (Dirtyd, Gunicorn)
            )
            yield f"9 {case.scenario}, {case.row}: {title} to gunicorn's", relation, limit, mine, theirs


def cost(figure, setup):
    name = "cost per call of more workers and apps"
    return figure("front_cpu_us", name, setup=setup), figure("front_cpu_us", name, setup=(("workers", 4),))


def memory(extras):
    for name, key, limit in (
        ("6 arbiter at rest", "rest", 20),
        (f"6 under {idle_streams.STREAMS:,} idle streams", "streams", 60),
    ):
        figures = [taken.figures[key]["memory"] for taken in extras.get(idle_streams, ()) if key in taken.figures]
        if figures:
            reached = statistics.median(figures) / 2**20
            yield name, f"≤ {limit} MiB", f"{reached:.1f} MiB", reached <= limit
