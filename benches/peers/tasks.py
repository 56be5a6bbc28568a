"""Callers that are tasks of one event loop, as in an ASGI worker."""

import asyncio
import time

from seen import Measurement


def dirtyd(options):
    """All tasks share a client, as `get_dirty_client` has it."""
    from dirtyd import DirtyClient

    client = DirtyClient(options.socket)
    call = client.stream_async if options.stream else client.execute_async
    return lambda: lambda: call("bench:Bench", options.action, *options.args)


def gunicorn(options):
    """A client for each task, as `get_dirty_client_async` has it: it can make one call at a time."""
    from gunicorn.dirty.client import DirtyClient

    def caller():
        client = DirtyClient(options.socket)
        call = client.stream_async if options.stream else client.execute_async
        return lambda: call("gunicorn_arbiter:Bench", options.action, *options.args)

    return caller


KINDS = {kind.__name__: kind for kind in (dirtyd, gunicorn)}


async def run(options):
    """Lets tasks make calls, and returns what they measured."""
    caller = KINDS[options.kind](options)
    calls = [caller() for _ in range(options.callers)]
    for call in calls:  # In turn, because gunicorn's client fails if more connect at once than the kernel lets wait.
        await once(call, options.stream)
    measurement = Measurement(options.callers, options.seconds)
    each = read if options.stream else execute
    await asyncio.gather(*map(each, calls, measurement.seen))
    return measurement


async def once(call, is_stream):
    if is_stream:
        async for _ in call():
            pass
    else:
        await call()


async def execute(call, seen):
    while seen.goes_on():
        start = time.perf_counter()
        try:
            await call()
        except Exception as error:
            seen.failed(error)
        else:
            seen.ended(start)


async def read(call, seen):
    while seen.goes_on():
        start, first = time.perf_counter(), None
        try:
            async for _ in call():
                now = time.perf_counter()
                first = first or now
                seen.chunk(now)
        except Exception as error:
            seen.failed(error)
        else:
            seen.ended(start, first)
