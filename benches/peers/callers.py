"""Callers in Python: threads of one process, as in a web worker.

    callers.py KIND SOCKET [--callers N] [--seconds S] [--action A] [--size B] [--stream]

Prints the same JSON as the native load generator.
"""

import argparse
import json
import threading
import time
from concurrent.futures import ProcessPoolExecutor

import bench

WARMUP = 0.2


def dirtyd(options):
    from dirtyd import DirtyClient

    client = DirtyClient(options.socket)
    args = options.args
    if options.stream:
        return lambda: lambda: client.stream("bench:Bench", options.action, *args)
    return lambda: lambda: client.execute("bench:Bench", options.action, *args)


def grpcio(options):
    """A stub that anyone would write: generated messages, and no channel options except the limits."""
    import grpc
    from dirtyd._proto.dirty.v1.arbiter_pb2 import (
        ExecuteRequest,
        ExecuteResponse,
        ExecuteStreamResponse,
    )

    channel = grpc.insecure_channel(f"unix:{options.socket}", [("grpc.max_receive_message_length", -1)])
    path, encode = "/dirty.v1.Arbiter/", ExecuteRequest.SerializeToString
    execute = channel.unary_unary(path + "Execute", encode, ExecuteResponse.FromString)
    stream = channel.unary_stream(path + "ExecuteStream", encode, ExecuteStreamResponse.FromString)

    def call():
        request = ExecuteRequest(app="bench:Bench", action=options.action)
        for value in options.args:
            field = "bytes_value" if isinstance(value, bytes) else "int_value"
            setattr(request.args.add(), field, value)
        return (stream if options.stream else execute)(request)

    return lambda: call


def gunicorn(options):
    from gunicorn.dirty.client import DirtyClient

    def caller():
        client = DirtyClient(options.socket)
        call = client.stream if options.stream else client.execute
        return lambda: call("gunicorn_arbiter:Bench", options.action, *options.args)

    return caller


def http(options):
    from http.client import HTTPConnection

    def caller():
        connection = HTTPConnection(options.socket)
        line = " ".join([options.action, *map(str, options.ints)])
        body = line.encode() + b"\n" + (b"Z" * options.size if options.size else b"")

        def call():
            connection.request("POST", "/inference", body)
            response = connection.getresponse()
            result = response.read()
            if response.status != 200:
                raise RuntimeError(result)
            return result

        return call

    return caller


def executor(options):
    pool = ProcessPoolExecutor(int(options.socket))
    action = getattr(bench.Bench(), options.action)
    return lambda: lambda: pool.submit(action, *options.args).result()


KINDS = {kind.__name__: kind for kind in (dirtyd, grpcio, gunicorn, http, executor)}


class Seen:
    def __init__(self):
        self.latencies, self.firsts, self.chunks, self.made, self.failures = (
            [],
            [],
            0,
            0,
            [],
        )

    def run(self, call, options, begin, end):
        while (start := time.perf_counter()) < end and len(self.failures) < 20:
            try:
                result, first, chunks = call(), None, 0
                if options.stream:
                    for _ in result:
                        now = time.perf_counter()
                        first = first or now
                        chunks += begin <= now < end
            except Exception as error:
                self.failures.append(repr(error))
                continue
            self.made += 1
            self.chunks += chunks
            # A call that ends after the measured time is not counted.
            if begin <= (now := time.perf_counter()) < end:
                self.latencies.append(now - start)
                if first:
                    self.firsts.append(first - start)


def measure(options):
    caller = KINDS[options.kind](options)
    caller()()  # connects, and starts what the first call starts
    begin = time.perf_counter() + WARMUP
    end = begin + options.seconds
    all_seen = [Seen() for _ in range(options.callers)]
    threads = [threading.Thread(target=seen.run, args=(caller(), options, begin, end)) for seen in all_seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = options.seconds
    latencies = sorted(latency for seen in all_seen for latency in seen.latencies)
    firsts = sorted(first for seen in all_seen for first in seen.firsts)
    failures = [failure for seen in all_seen for failure in seen.failures]
    chunks = sum(seen.chunks for seen in all_seen)
    return {
        "calls": len(latencies), "made": sum(seen.made for seen in all_seen),
        "seconds": seconds, "per_second": len(latencies) / seconds,
        "p50_us": percentile(latencies, 50), "p99_us": percentile(latencies, 99),
        "chunks": chunks, "chunks_per_second": chunks / seconds,
        "first_p50_us": percentile(firsts, 50), "first_p99_us": percentile(firsts, 99),
        "failures": len(failures), "failure": failures[0] if failures else None,
    }  # fmt: skip


def percentile(values, percent):
    return values[min(len(values) * percent // 100, len(values) - 1)] * 1e6 if values else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("socket")
    parser.add_argument("--callers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--action", default="echo")
    parser.add_argument("--int", dest="ints", type=int, action="append", default=[])
    parser.add_argument("--size", type=int)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument(
        "--probe",
        action="store_true",
        help="one echo, to see whether the system serves",
    )
    options = parser.parse_args()
    if options.probe:
        options.size = 1
    options.args = [
        *options.ints,
        *([b"Z" * options.size] if options.size is not None else []),
    ]
    if options.probe:
        KINDS[options.kind](options)()()
    else:
        print(json.dumps(measure(options)))


if __name__ == "__main__":
    main()
