"""Callers that are threads, as in a sync web worker."""

import threading
import time
from concurrent.futures import ProcessPoolExecutor

import bench
from seen import Measurement


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


def run(options):
    """Lets threads make calls, and returns what they measured."""
    caller = KINDS[options.kind](options)
    calls = [caller() for _ in range(options.callers)]
    for call in calls:  # In turn, because gunicorn's client fails if more connect at once than the kernel lets wait.
        once(call, options.stream)
    measurement = Measurement(options.callers, options.seconds)
    each = read if options.stream else execute
    running = [threading.Thread(target=each, args=them) for them in zip(calls, measurement.seen, strict=True)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return measurement


def once(call, is_stream):
    if is_stream:
        for _ in call():
            pass
    else:
        call()


def execute(call, seen):
    while seen.goes_on():
        start = time.perf_counter()
        try:
            call()
        except Exception as error:
            seen.failed(error)
        else:
            seen.ended(start)


def read(call, seen):
    while seen.goes_on():
        start, first = time.perf_counter(), None
        try:
            for _ in call():
                now = time.perf_counter()
                first = first or now
                seen.chunk(now)
        except Exception as error:
            seen.failed(error)
        else:
            seen.ended(start, first)
