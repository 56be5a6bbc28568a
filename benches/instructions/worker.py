"""Counts what one call costs the Python worker, without the arbiter.

    worker.py [--time] [--only CALL] [SOURCE ...]

A real worker process at the other end of a socketpair gets one Request after
another. Each SOURCE is a folder with the package `dirtyd` (default: this
tree's). Several sources, such as the `clients/python/src` of two worktrees, are
compared. A stream is counted per chunk.

Without `--time` the worker runs under callgrind. The result is the number of
instructions outside the kernel, as the difference of 2N and N calls, which
contains no part of the start and the end. With `--time` the result is the CPU
time in microseconds, kernel included: the median of rounds in which the sources
take turns. The instructions depend only on the code; the time shows what they
cost on this machine.
"""

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "clients/python/src"
TOKENS, ROUNDS, PATIENCE = 200, 9, 60

sys.path.insert(0, str(HERE))

from dirtyd._proto.dirty.v1.arbiter_pb2 import ExecuteRequest  # noqa: E402
from dirtyd._proto.dirty.worker.v1 import worker_pb2 as pb  # noqa: E402
from dirtyd.values import encode  # noqa: E402

APP = "bench:Bench"
# The highest version of the worker protocol that this program speaks. It speaks the version of an older worker.
VERSION = 2
# The first byte of a frame with WorkerFrame.chunk.
CHUNK = 0x32
RECORD = {"id": 7, "name": "seven", "tags": ["a", "b", "c"], "score": 0.7, "ok": True}
# Name: action, arguments, keyword arguments, number of calls in a measured batch.
CALLS = {
    "100 bytes": ("echo", [bytes(100)], {}, 300),
    "text there, int back": ("consume", ["x" * 100], {}, 300),
    "a record": ("echo", [], {"value": RECORD}, 200),
    "token of a stream": ("tokens", [TOKENS], {}, 5),
    "1 MiB there": ("consume", [bytes(1 << 20)], {}, 20),
    "1 MiB back": ("produce", [1 << 20], {}, 20),
}


class Worker:
    """One worker process and the arbiter's end of its socket."""

    def __init__(self, source, prefix=()):
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(PATIENCE)
        path = os.pathsep.join([str(source), str(ROOT / "benches/peers")])
        environment = {
            **os.environ,
            "PYTHONPATH": path,
            "PYTHONHASHSEED": "0",
            "DIRTYD_WORKER_FD": str(theirs.fileno()),
        }
        command = [*prefix, sys.executable, "-P", "-m", "dirtyd.worker"]
        with theirs:
            self.process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()])
        self.data = bytearray()
        self.calls = 0
        hello = self.frame().hello
        # As the arbiter does: the highest version that both know.
        self.version = min(VERSION, max(hello.protocol_version, hello.latest_protocol_version))
        self.send(welcome=pb.Welcome(protocol_version=self.version, worker_id=1, threads=1))
        self.send(init_app=pb.InitApp(app=APP))
        self.frame()

    def send(self, **kind):
        data = pb.ArbiterFrame(**kind).SerializeToString()
        self.sock.sendall(len(data).to_bytes(4, "big") + data)

    def frame(self):
        """Read and decode one frame."""
        return pb.WorkerFrame.FromString(self.read())

    def read(self):
        """Return the bytes of one frame. The first byte says its kind."""
        while len(self.data) < 4 or len(self.data) < 4 + int.from_bytes(self.data[:4], "big"):
            part = self.sock.recv(1 << 20)
            if not part:
                raise EOFError("the worker is gone")
            self.data += part
        size = int.from_bytes(self.data[:4], "big")
        frame = bytes(self.data[4 : 4 + size])
        del self.data[: 4 + size]
        return frame

    def run(self, name, count):
        action, args, kwargs, _ = CALLS[name]
        message = ExecuteRequest(app=APP, action=action)
        for value in args:
            encode(value, message.args.add())
        for key, value in kwargs.items():
            encode(value, message.kwargs[key])
        # Every call has a request id. If the caller does not name one, it is the call's number.
        request = pb.Request(timeout_micros=300_000_000, payload=message.SerializeToString())
        if self.version >= 2:
            request.app, request.action = APP, action
            request.payload_kind = pb.PAYLOAD_KIND_EXECUTE_REQUEST
        if action == "tokens":
            request.stream, request.credit.chunks, request.credit.bytes = True, 1 << 30, 1 << 40
        for _ in range(count):
            self.calls += 1
            request.call_id, request.request_id = self.calls, str(self.calls)
            self.send(request=request)
            while self.read()[0] == CHUNK:
                pass

    def cpu(self):
        """Return the CPU time of the process in seconds, from its clock (see clock_getcpuclockid(3))."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def end(self):
        self.send(shutdown=pb.Shutdown())
        self.process.wait(PATIENCE)
        self.sock.close()


def per_call(name):
    return TOKENS if name == "token of a stream" else 1


def instructions(source, name):
    batch = CALLS[name][3]
    count(source, name, 1)  # compiles what is not compiled yet
    few, many = (count(source, name, calls) for calls in (batch, 2 * batch))
    return (many - few) / batch / per_call(name)


def count(source, name, calls):
    with tempfile.TemporaryDirectory(prefix="count-") as directory:
        out = Path(directory, "counts")
        worker = Worker(source, ("valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"))
        worker.run(name, calls)
        worker.end()
        return int(re.search(r"^(?:totals|summary): (\d+)", out.read_text(), re.MULTILINE)[1])


def microseconds(sources, name):
    """Return the CPU time per call of each source, in microseconds."""
    batch = 10 * CALLS[name][3]
    workers = [Worker(source) for source in sources]
    for worker in workers:
        worker.run(name, batch)
    taken = [[] for _ in workers]
    for _ in range(ROUNDS):
        for worker, figures in zip(workers, taken, strict=True):
            start = worker.cpu()
            worker.run(name, batch)
            figures.append((worker.cpu() - start) / batch / per_call(name) * 1e6)
    for worker in workers:
        worker.end()
    return [statistics.median(figures) for figures in taken]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", type=Path, default=[HERE])
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--only", choices=CALLS)
    options = parser.parse_args()
    print(f"{'µs of CPU time' if options.time else 'instructions':20}", *map(str, options.sources), sep="  ")
    for name in [options.only] if options.only else CALLS:
        if options.time:
            figures = [f"{figure:.1f}" for figure in microseconds(options.sources, name)]
        else:
            figures = [f"{instructions(source, name):,.0f}" for source in options.sources]
        print(f"{name:20}", *(f"{figure:>10}" for figure in figures), flush=True)


if __name__ == "__main__":
    main()
