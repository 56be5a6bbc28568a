"""Counts the instructions of the arbiter for each byte of a request of 16 MiB, by gRPC, Connect and HTTP with JSON.

Fails if one of the others takes more than gRPC. See `instructions.py` for how it counts.
"""

import json
import os
import re
import socket as sockets
import subprocess
import sys

from instructions import LOAD, PATIENCE, count

SIZE, CALLS = 16 << 20, 3
#: What the counts of two runs differ by.
NOISE = 0.03


def grpc(socket, calls):
    """Sends requests by gRPC."""
    command = [LOAD, "calls", f"dirtyd:{socket}", "--action=consume", f"--size={SIZE}", f"--calls={calls}"]
    seen = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout
    if '"failures":0' not in seen:
        raise RuntimeError(f"calls failed: {seen}")


def connect(socket, calls):
    """Sends requests by Connect."""
    from dirtyd._proto.dirty.v1.arbiter_pb2 import ExecuteRequest

    request = ExecuteRequest(app="bench:Bench", action="consume")
    request.args.add().bytes_value = bytes(SIZE)
    post(socket, calls, "/dirty.v1.Arbiter/Execute", "application/proto", request.SerializeToString())


def plain(socket, calls):
    """Sends requests by HTTP with JSON."""
    post(socket, calls, "/v1/bench:Bench/consume", "application/json", json.dumps(["x" * SIZE]).encode())


def post(socket, calls, path, kind, body):
    head = f"POST {path} HTTP/1.1\r\nhost: d\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    with sockets.socket(sockets.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(socket)
        for _ in range(calls):
            connection.sendall(head.encode() + body)
            answer = connection.recv(65536)
            if not re.match(rb"HTTP/1.1 200 ", answer):
                raise RuntimeError(f"a call failed: {answer!r}")


def per_byte(call):
    """Returns the instructions for a byte."""
    return (count(2 * CALLS, call) - count(CALLS, call)) / (CALLS * SIZE)


def main():
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    figures = {call.__name__: per_byte(call) for call in (grpc, connect, plain)}
    for name, figure in figures.items():
        print(f"{name:8} {figure:.3f} instructions per byte")
    above = [name for name, figure in figures.items() if figure > figures["grpc"] * (1 + NOISE)]
    if above:
        sys.exit(f"more than gRPC: {', '.join(above)}")


if __name__ == "__main__":
    main()
