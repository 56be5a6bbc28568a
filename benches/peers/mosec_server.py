"""The actions behind mosec: its Rust front, Python workers.

A request's body is a line that names the action and its integers, then bytes:
they pass mosec unopened, which is what costs it least.
"""

import os
import struct

from mosec import Server, Worker

from bench import Bench


class Actions(Worker):
    def __init__(self):
        self.bench = Bench()

    def deserialize(self, data):
        return data

    def serialize(self, data):
        return struct.pack("<q", data) if isinstance(data, int) else data

    def forward(self, data):
        line, _, body = bytes(data).partition(b"\n")
        action, *ints = line.decode().split()
        return getattr(self.bench, action)(*map(int, ints), *([body] if body else []))


if __name__ == "__main__":
    server = Server()
    server.append_worker(Actions, num=int(os.environ["BENCH_WORKERS"]))
    server.run()
