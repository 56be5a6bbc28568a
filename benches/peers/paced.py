"""Whether one stream delays another: the gaps between the chunks of a paced stream, alone and beside floods."""

import json
import subprocess

from computing import computing
from generators import PATIENCE, ask, reason
from systems import LOAD, Dirtyd, environment
from tables import milliseconds, plain, rows

NAME = "a paced stream beside others"
FLOODING, UNREAD, MILLISECONDS = 7, 1, 5
#: A worker for each stream, so that no stream waits for the action of another.
WORKERS = FLOODING + UNREAD + 2
TITLES = {
    "alone": "alone",
    "beside": "beside them, on their connection",
    "apart": "beside them, in another process",
    "busy": f"alone, beside {FLOODING} processes that only compute",
}


def measure(quick):
    count = 100 if quick else 400
    with Dirtyd(workers=WORKERS) as system:
        command = [LOAD, "paced", system.load("paced", (), None), "--action=paced"]
        command += [f"--int={count}", f"--int={MILLISECONDS}"]
        figures = {"alone": ask(command)}
        floods = [*command, f"--flooding={FLOODING}", f"--unread={UNREAD}"]
        with start(floods) as flooding:
            figures["apart"] = ask(command)
            figures["beside"] = figures_of(flooding)
        with computing(FLOODING):
            figures["busy"] = ask(command)
    return figures


def start(command):
    return subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def figures_of(process):
    stdout, stderr = process.communicate(timeout=PATIENCE)
    return {"failure": reason(stderr)} if process.returncode else json.loads(stdout)


def text(rounds):
    columns = [
        ("gap p50 ms", "gap_p50_us", milliseconds), ("gap p99 ms", "gap_p99_us", milliseconds),
        ("worker to reader p50 ms", "transit_p50_us", milliseconds), ("p99 ms", "transit_p99_us", milliseconds),
        ("chunks/s of the floods", "flooded_per_second", plain),
    ]  # fmt: skip
    return (
        f"A chunk every {MILLISECONDS} ms; the others are {FLOODING} streams that are read as fast as they come and "
        f"{UNREAD} that nobody reads, each in a worker of its own. On their connection a chunk stands behind the bytes "
        "that the socket holds already, which is long if the one reader does not keep up with all of them.\n\n"
        + rows("paced stream", TITLES, rounds, columns)
    )
