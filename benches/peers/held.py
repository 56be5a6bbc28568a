"""Memory under streams that are open and idle."""

import subprocess

from processes import Cost
from systems import LOAD, Dirtyd, environment

NAME = "idle streams"
STREAMS = 1000


def streams():
    """Resident memory of dirtyd's arbiter at rest and under idle streams, in bytes."""
    with Dirtyd(workers=4, threads=STREAMS // 4) as system:
        idle = Cost(system).per_call(1)["front_memory"]
        target = system.load("idle", (), None)
        command = [
            LOAD,
            "hold",
            target,
            f"--callers={STREAMS}",
            "--action=idle",
            "--connections=10",
        ]
        holding = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        held = int(holding.stdout.readline() or 0)
        loaded = Cost(system).per_call(1)["front_memory"]
        holding.communicate()
    return {"streams": held, "idle_memory": idle, "memory": loaded}
