"""Memory under streams that are open and idle."""

import subprocess

from processes import Cost
from systems import LOAD, Dirtyd, environment
from tables import mebibytes, rows

NAME = "memory under idle streams"
STREAMS = 1000


def measure(_quick):
    """Returns the resident memory of dirtyd's arbiter, at rest and under idle streams, in bytes."""
    with Dirtyd(workers=4, threads=STREAMS // 4) as system:
        idle = Cost(system).per_call(1)["front_memory"]
        target = system.load("idle", (), None)
        command = [LOAD, "hold", target, f"--callers={STREAMS}", "--action=idle", "--connections=10"]
        holding = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        held = int(holding.stdout.readline() or 0)
        loaded = Cost(system).per_call(1)["front_memory"]
        holding.communicate()
    if held != STREAMS:
        return {"failure": f"{held} of {STREAMS} streams were open"}
    return {"rest": {"memory": idle}, "streams": {"memory": loaded}}


def text(rounds):
    titles = {"rest": "4 workers, at rest", "streams": f"{STREAMS} streams, open and idle"}
    return rows("arbiter with", titles, rounds, [("MiB", "memory", mebibytes)])
