"""The load generators: how each is told to make the calls of a case, and how its report is read."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from computing import computing
from processes import Cost
from scenarios import ASYNCIO, NATIVE, STOCK, WRK
from systems import HERE, LOAD, environment

PATIENCE = 60
# The native generator keeps its memory from one large message to the next, whichever system it calls. With glibc's
# default it would spend more time than any of the systems, and that time would be measured as theirs.
KEEP = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=134217728"}
UNITS = {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6}


def run(case, system):
    """Makes one measurement: the figures of the generator and the costs of the processes."""
    make, read = {NATIVE: (native, json.loads), WRK: (wrk, wrk_figures)}.get(case.client, (python, json.loads))
    command, cost = make(case, system), Cost(system)
    with computing(os.cpu_count() if case.busy else 0):
        seen = ask(command, read)
    return seen | cost.per_call(seen["made"]) if "made" in seen else seen


def ask(command, read=json.loads):
    """Runs a generator. If it fails or hangs, the result is a failure with the reason in one line."""
    command = [str(part) for part in command]
    surroundings = environment() | (KEEP if command[0] == str(LOAD) else {})
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=surroundings, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return {"failures": 1, "failure": f"it hung for {PATIENCE} s"}
    except subprocess.CalledProcessError as error:
        return {"failures": 1, "failure": reason(error.stderr) or f"exit status {error.returncode}"}
    return read(done.stdout)


def reason(stderr):
    """Returns the error from the output of a program that failed: the first line of Rust, the last line of Python."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    rust = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return (rust or lines[-1:] or [""])[0][:200]


def native(case, system):
    kind = "streams" if case.streams else "calls"
    target = system.load(case.action, case.ints, case.size)
    return [LOAD, kind, target, f"--connections={case.connections}", *asked(case)]


def python(case, system):
    kind = "grpcio" if case.client == STOCK else system.python
    return [
        sys.executable, HERE / "callers.py", kind, system.socket,
        *(["--asyncio"] if case.client == ASYNCIO else []), *(["--stream"] if case.streams else []), *asked(case),
    ]  # fmt: skip


def asked(case):
    size = [f"--size={case.size}"] if case.size is not None else []
    return [
        f"--callers={case.callers}", f"--seconds={case.seconds}", f"--action={case.action}",
        *[f"--int={number}" for number in case.ints], *size,
    ]  # fmt: skip


def wrk(case, system):
    """Runs wrk with one thread against a system that speaks HTTP. A script of wrk posts the body from a file."""
    script = Path(system.directory.name, "post.lua")
    line = " ".join([case.action, *map(str, case.ints)]).encode() + b"\n"
    body = Path(system.directory.name, "body")
    body.write_bytes(line + b"Z" * (case.size or 0))
    script.write_text(f'wrk.method = "POST"\nwrk.body = io.open("{body}", "rb"):read("*a")\n')
    return [
        "wrk", "--threads=1", f"--connections={case.callers}", f"--duration={max(1, round(case.seconds))}s",
        "--latency", f"--script={script}", f"http://{system.socket}/inference",
    ]  # fmt: skip


def wrk_figures(text):
    """Returns the figures in the report of wrk."""
    made, seconds = re.search(r"(\d+) requests in ([\d.]+)s", text).groups()
    latency = {
        share: float(value) * UNITS[unit] for share, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(\w+)", text)
    }
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    failures = int(refused[1] if refused else 0) + sum(map(int, broken.groups() if broken else ()))
    return {
        "made": int(made), "per_second": int(made) / float(seconds), "failures": failures,
        "failure": (refused or broken or [None])[0], "p50_us": latency["50"], "p99_us": latency["99"],
    }  # fmt: skip


def version_of_wrk():
    """Returns the version of wrk, which it prints when it refuses an option."""
    told = subprocess.run(["wrk", "--version"], capture_output=True, text=True).stdout
    return told.split()[1] if told.startswith("wrk ") else "unknown"
