"""Counts the instructions of one Execute in the arbiter, and compares with `figure`.

    instructions.py [--update]

dirtyd runs under callgrind, its worker beside it. A single caller makes N and,
in a second run, 2N calls: the difference of the two counts, divided by N, is
free of start and end. Fails when it is more than 5 % off the committed figure.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FIGURE, SHIM = Path(__file__).with_name("figure"), Path(__file__).with_name("pidfd.c")
DIRTYD, LOAD = ROOT / "target/release/dirtyd", ROOT / "target/release/examples/load"
CALLS, TOLERANCE, PATIENCE = 400, 0.05, 90


def count(calls):
    """Instructions of a whole life of the arbiter with so many calls."""
    with tempfile.TemporaryDirectory(prefix="count-") as directory:
        socket, log = f"{directory}/s", Path(directory, "log")
        serve = [
            DIRTYD,
            "serve",
            *single(),
            "--app",
            "bench:Bench:1",
            "--socket",
            socket,
        ]
        callgrind = [
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={directory}/counts.%p",
            *serve,
        ]
        path = os.pathsep.join([str(ROOT / "benches/peers"), str(ROOT / "clients/python/src")])
        shim = f"{directory}/pidfd.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", shim, SHIM], check=True)
        environment = {
            **os.environ,
            "PYTHONPATH": path,
            "DIRTYD_PYTHON": sys.executable,
            "LD_PRELOAD": shim,
        }
        with log.open("wb") as output:
            arbiter = subprocess.Popen(callgrind, stdout=output, stderr=output, env=environment)
        try:
            wait_for(socket, arbiter, log)
            call(socket, calls)
        finally:
            arbiter.send_signal(signal.SIGQUIT)  # at once: there is no word of the worker's exit to wait for
            arbiter.wait(PATIENCE)
        # A forked child writes an output of its own until it becomes the worker.
        summary = Path(f"{directory}/counts.{arbiter.pid}").read_text()
    return int(re.search(r"^(?:totals|summary): (\d+)", summary, re.MULTILINE)[1])


def single():
    usage = subprocess.run([DIRTYD, "serve", "--help"], capture_output=True, text=True, check=True).stdout
    return ["--single"] if "--single" in usage else []


def wait_for(socket, arbiter, log):
    deadline = time.monotonic() + PATIENCE
    while not Path(socket).exists():
        if arbiter.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"dirtyd does not serve: {log.read_text()[-2000:]}")
        time.sleep(0.1)


def call(socket, calls):
    # The first call waits in the queue until the worker is there.
    command = [LOAD, "calls", f"dirtyd:{socket}", "--size=100", f"--calls={calls}"]
    seen = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout
    if '"failures":0' not in seen:
        raise RuntimeError(f"calls failed: {seen}")


def main():
    one = (count(2 * CALLS) - count(CALLS)) // CALLS
    if "--update" in sys.argv:
        FIGURE.write_text(f"{one}\n")
    committed = int(FIGURE.read_text())
    change = one / committed - 1
    print(f"one Execute takes {one} instructions in the arbiter, {change:+.1%} from the committed {committed}")
    if abs(change) > TOLERANCE:
        sys.exit(f"more than {TOLERANCE:.0%} off: if that is meant, run `{sys.argv[0]} --update` and say why")


if __name__ == "__main__":
    main()
