"""The async client: what becomes of connections when calls are cancelled and loops end."""

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from dirtyd import DirtyClient, errors
from kinds import PATIENCE, eventually
from server_process import Server

LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
NewLoop = Callable[[], asyncio.AbstractEventLoop]


def run(new_loop: NewLoop, main: Coroutine[Any, Any, Any]) -> None:
    loop = new_loop()
    try:
        loop.run_until_complete(asyncio.wait_for(main, PATIENCE))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


async def count(client: DirtyClient, name: str) -> int:
    return await client.execute_async("m:A", "count", name)


async def until(client: DirtyClient, name: str, wanted: int) -> None:
    while await count(client, name) != wanted:
        await asyncio.sleep(0.002)


MANY_LOOPS = """
import asyncio, os, sys, threading
import dirtyd
path, kind = sys.argv[1:]
client = dirtyd.DirtyClient(path)
streams, loops = [], []

async def call():
    assert (await client.execute_async("m:A", "go", 1))["args"] == [1]

async def half():
    streams[:] = [client.stream_async("m:A", "numbers", 1000)]
    await anext(streams[0])

async def new_client():
    await dirtyd.DirtyClient(path).execute_async("m:A", "go")

def unclean(loop, main):
    loop.run_until_complete(main)
    loop.close()

def kept(loop, main):
    loops.append(loop)
    loop.run_until_complete(main)
    loop.run_until_complete(loop.shutdown_asyncgens())

def from_threads(_):
    thread = threading.Thread(target=async_to_sync(call))
    thread.start()
    thread.join()

if kind == "uvloop":
    import uvloop
if kind == "async_to_sync":
    from asgiref.sync import async_to_sync
once = {
    "run": lambda: asyncio.run(call()),
    "half-read": lambda: asyncio.run(half()),
    "new client": lambda: asyncio.run(new_client()),
    "unclean": lambda: unclean(asyncio.new_event_loop(), call()),
    "unclean, half-read": lambda: unclean(asyncio.new_event_loop(), half()),
    "clean, kept": lambda: kept(asyncio.new_event_loop(), call()),
    "uvloop": lambda: unclean(uvloop.new_event_loop(), call()),
    "async_to_sync": lambda: from_threads(call),
}[kind]

def descriptors():
    return len(os.listdir("/proc/self/fd"))

once()
begin = most = descriptors()
for _ in range(200 if kind == "clean, kept" else 1000):
    once()
    most = max(most, descriptors())
for loop in loops:
    loop.close()
assert most <= begin + 2 + 3 * len(loops), (begin, most)
"""


@pytest.mark.parametrize(
    "kind",
    ["run", "half-read", "new client", "unclean", "unclean, half-read", "clean, kept", "uvloop", "async_to_sync"],
)
def test_connections_end_with_their_loop(server: Server, kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", MANY_LOOPS, server.socket, kind],
        capture_output=True, text=True, timeout=3 * PATIENCE,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    with DirtyClient(server.socket) as client:
        eventually(lambda: client.execute("m:A", "count", "open") == 1)


@LOOPS
def test_cancelling_ends_the_connection_of_this_call_alone(server: Server, new_loop: NewLoop) -> None:
    """After any number of turns of the loop."""

    async def stream(client: DirtyClient) -> None:
        async for _ in client.stream_async("m:A", "endless", 1):
            pass

    async def main() -> None:
        async with DirtyClient(server.socket) as client:
            beside = client.stream_async("m:A", "endless", 1)
            assert await anext(beside) == 0
            await until(client, "waiting", 1)
            for turns in range(6):
                for call in (client.execute_async("m:A", "never"), stream(client)):
                    task = asyncio.ensure_future(call)
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                    await until(client, "waiting", 1)
            await until(client, "open", 2)
            await beside.aclose()
            await until(client, "open", 1)

    run(new_loop, main())


@LOOPS
def test_an_unread_stream_pauses_the_server(server: Server, new_loop: NewLoop) -> None:
    async def main() -> None:
        async with DirtyClient(server.socket) as client:
            stream = client.stream_async("m:A", "blobs", 2000, 10_000)
            assert await anext(stream) == bytes(10_000)
            for _ in range(300):  # The loop has turned often enough to read all of it.
                chunks = await count(client, "chunks")
            assert chunks < 200
            assert [len(chunk) async for chunk in stream] == [10_000] * 1999

    run(new_loop, main())


@LOOPS
@pytest.mark.parametrize("leave", ["break", "drop", "drop in another thread", "aclose"])
def test_leaving_a_stream(server: Server, new_loop: NewLoop, leave: str) -> None:
    async def main() -> None:
        async with DirtyClient(server.socket) as client:
            stream = client.stream_async("m:A", "endless", 3)
            async for _ in stream:
                break
            if leave == "aclose":
                await stream.aclose()
                assert [chunk async for chunk in stream] == []
            elif leave == "drop in another thread":
                held = [stream]
                del stream
                await asyncio.to_thread(held.clear)
            else:
                del stream
            while not server.ended():
                await asyncio.sleep(0.002)
            await until(client, "open", 1)

    run(new_loop, main())


@LOOPS
def test_two_tasks_cannot_wait_for_one_stream(server: Server, new_loop: NewLoop) -> None:
    async def main() -> None:
        async with DirtyClient(server.socket) as client, client.stream_async("m:A", "endless", 1) as stream:
            assert await anext(stream) == 0
            first = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="another task"):
                await anext(stream)
            first.cancel()

    run(new_loop, main())


@LOOPS
def test_closing_the_client_ends_its_calls(server: Server, new_loop: NewLoop) -> None:
    async def main() -> None:
        client = DirtyClient(server.socket)
        stream = client.stream_async("m:A", "endless", 1)
        assert await anext(stream) == 0
        waiting = [asyncio.ensure_future(call) for call in (client.execute_async("m:A", "never"), anext(stream))]
        await until(client, "waiting", 2)
        await client.close_async()
        for task in waiting:
            with pytest.raises(errors.DirtyCancelledError, match="closed"):
                await task
        await until(client, "open", 1)
        await client.close_async()

    run(new_loop, main())


@LOOPS
def test_a_client_that_is_dropped_closes_its_connections(server: Server, new_loop: NewLoop) -> None:
    async def main() -> None:
        client = DirtyClient(server.socket)
        for _ in range(10):
            other = DirtyClient(server.socket)
            await asyncio.gather(*(other.execute_async("m:A", "go") for _ in range(3)))
            del other
            gc.collect()
            await until(client, "open", 1)
        await client.close_async()

    run(new_loop, main())


def test_loops_in_many_threads(server: Server) -> None:
    client, failures = DirtyClient(server.socket), []

    async def calls() -> None:
        for number in range(20):
            assert (await client.execute_async("m:A", "go", number))["args"] == [number]
            assert [chunk async for chunk in client.stream_async("m:A", "numbers", 3)] == [0, 1, 2]

    def thread() -> None:
        try:
            for _ in range(5):
                asyncio.run(calls())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=thread) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(PATIENCE)
    assert not failures
    eventually(lambda: client.execute("m:A", "count", "open") == 1)
    client.close()
