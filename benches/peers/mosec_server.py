"""The actions behind mosec, which has a front in Rust and workers in Python.

The body of a request is a line with the action and its integers, and then bytes.
mosec does not open the bytes, which is the cheapest way for it.
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
