"""Memory while calls of 16 MiB each way are in flight. It must grow only with their number."""

from generators import ask
from processes import forget_peak, peak, tree
from systems import LOAD, Dirtyd, Gunicorn, Mosec
from tables import mebibytes, plain, rows

NAME = "memory under calls of 16 MiB each way"
SIZE = 16 << 20
IN_FLIGHT = (1, 4, 8)
SYSTEMS = (Dirtyd, Gunicorn, Mosec)
#: Calls of each caller. Several, because the first ones find buffers that are still small.
CALLS = 3


def measure(quick):
    figures = {}
    for kind in SYSTEMS[: 1 if quick else None]:
        with kind(workers=max(IN_FLIGHT)) as system:
            fronts = [process for process in tree(system.process.pid) if system.is_front(process)]
            rest = sum(front.memory for front in fronts)
            for callers in IN_FLIGHT:
                figures[kind, callers] = echo(system, fronts, rest, callers)
    return figures


def echo(system, fronts, rest, callers):
    """Returns the peak of the front while `callers` callers echo, and the part of it above rest per call in flight."""
    for front in fronts:
        forget_peak(front)
    target = system.load("echo", (), SIZE)
    seen = ask([LOAD, "calls", target, f"--callers={callers}", f"--calls={callers * CALLS}", f"--size={SIZE}"])
    most = sum(map(peak, fronts))
    return {
        "peak": most,
        "per_call": (most - rest) / callers,
        "calls": seen.get("per_second"),
        "failure": seen.get("failure"),
    }


def text(rounds):
    titles = {
        (kind, callers): f"{kind.name}, {callers} in flight"
        for kind in SYSTEMS
        for callers in IN_FLIGHT
        if any((kind, callers) in taken.figures for taken in rounds)
    }
    columns = [("front at its peak, MiB", "peak", mebibytes), ("above rest, per call in flight", "per_call", mebibytes)]
    return rows("front of", titles, rounds, [*columns, ("calls/s", "calls", plain)])
