"""Counts the instructions of one Execute in the arbiter, and compares with `figure.json`.

    instructions.py [--update]

dirtyd runs under callgrind, with its worker beside it. A single caller makes a few calls, and many in a second run. The
difference of the two counts, divided by the difference in calls, contains no part of the start and the end. All
processes share one core: on several cores the count depends on timing (a message that arrives in two parts is read
twice), and a busy machine changes it by several percent. Fails if the count differs from the committed figure by more
than 2 %.

Two other things change the count: the compiler, which the figure names, and the C library's choice of `memcpy`, which
is pinned to the version that every x86-64 can run. Cargo.lock pins the crates. On another architecture nothing is
compared.
"""

import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FIGURE, SHIM = Path(__file__).with_name("figure.json"), Path(__file__).with_name("pidfd.c")
#: The daemon as it is shipped, and the load generator as the tests build it, because its speed does not matter here.
DIRTYD, LOAD = ROOT / "target/release/dirtyd", ROOT / "target/debug/examples/load"
CALLS, SPAN, TOLERANCE, PATIENCE = 400, 2000, 0.02, 120
#: Makes glibc use the memcpy of the simplest processor, whatever the processor is.
PLAIN = "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-AVX512F,-AVX512VL,-ERMS,-FSRM,-AVX_Fast_Unaligned_Load"


def count(calls, call):
    """Returns the instructions of the arbiter from its start to its end; `call(socket, calls)` makes the calls."""
    with tempfile.TemporaryDirectory(prefix="count-") as directory:
        socket, log, shim = f"{directory}/s", Path(directory, "log"), f"{directory}/pidfd.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", shim, SHIM], check=True)
        serve = [DIRTYD, "serve", "--single", "--app", "bench:Bench:1", "--socket", socket]
        callgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/counts.%p", *serve]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "benches/peers"), str(ROOT / "clients/python/src")]),
            "DIRTYD_PYTHON": sys.executable,
            "DIRTYD_RUNTIME_DIR": directory,
            "LD_PRELOAD": shim,
            "GLIBC_TUNABLES": PLAIN,
        }
        with log.open("wb") as output:
            arbiter = subprocess.Popen(callgrind, stdout=output, stderr=output, env=environment)
        try:
            wait_for(socket, arbiter, log)
            call(socket, calls)
        finally:
            arbiter.send_signal(signal.SIGQUIT)  # ends at once, without waiting for the worker's exit
            arbiter.wait(PATIENCE)
        # A forked child writes its own output file until it becomes the worker.
        summary = Path(f"{directory}/counts.{arbiter.pid}").read_text()
    return int(re.search(r"^(?:totals|summary): (\d+)", summary, re.MULTILINE)[1])


def wait_for(socket, arbiter, log):
    deadline = time.monotonic() + PATIENCE
    while not Path(socket).exists():
        if arbiter.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"dirtyd does not serve: {log.read_text()[-2000:]}")
        time.sleep(0.1)


def execute(socket, calls):
    """Makes calls of 100 bytes by gRPC."""
    # The first call waits in the queue until the worker is there.
    command = [LOAD, "calls", f"dirtyd:{socket}", "--size=100", f"--calls={calls}"]
    seen = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout
    if '"failures":0' not in seen:
        raise RuntimeError(f"calls failed: {seen}")


def surroundings():
    """Returns what the count depends on besides the code."""
    versions = {}
    for tool in ("rustc", "valgrind"):
        told = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
        versions[tool] = re.search(r"\d+\.\d+\.\d+", told)[0]
    return {**versions, "architecture": platform.machine()}


def main():
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    here, one = surroundings(), (count(CALLS + SPAN, execute) - count(CALLS, execute)) // SPAN
    if "--update" in sys.argv:
        FIGURE.write_text(json.dumps({"instructions": one, **here}, indent=2) + "\n")
    committed = json.loads(FIGURE.read_text())
    print(f"one Execute takes {one:,} instructions in the arbiter")
    if committed["architecture"] != here["architecture"]:
        print(f"the committed figure is of {committed['architecture']}: nothing to compare with")
        return
    change = one / committed["instructions"] - 1
    print(f"that is {change:+.1%} from the committed {committed['instructions']:,}")
    others = [
        f"{name} {value} instead of {committed[name]}" for name, value in here.items() if committed[name] != value
    ]
    if others:
        print(f"counted with {', '.join(others)}, which can move it too")
    if abs(change) > TOLERANCE:
        sys.exit(
            f"more than {TOLERANCE:.0%} off: if that is meant, `make bench-instructions ARGS=--update`, and say why"
        )


if __name__ == "__main__":
    main()
