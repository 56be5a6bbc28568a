"""A forked child never touches what belongs to its parent."""

import subprocess
import sys

import pytest

from kinds import PATIENCE
from server_process import Server

# Each script begins so. `finish` waits for the children; `child` runs a function in one.
BEGIN = """
import asyncio, os, sys, threading
import dirtyd
from dirtyd import errors
path, ended, when = sys.argv[1:]
client = dirtyd.DirtyClient(path, timeout=30)

def go(number):
    assert client.execute("m:A", "go", number)["args"] == [number]

def child(function, leave=sys.exit):
    pid = os.fork()
    if not pid:
        try:
            function()
        except BaseException:
            import traceback; traceback.print_exc()
            os._exit(1)
        leave(40)
    return pid

def finish(*children):
    for pid in children:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 40
"""

FORK = """
if when != "before the first use":
    go(0)
if when == "from a busy parent":
    stream = client.stream("m:A", "endless", 1)
    next(stream)
    threading.Thread(target=lambda: [go(i) for i in range(500)]).start()
    threading.Thread(target=lambda: [list(client.stream("m:A", "numbers", 9)) for i in range(500)]).start()

def calls():
    for i in range(20):
        go(i)
        assert list(client.stream("m:A", "numbers", 2)) == [0, 1]
        assert asyncio.run(client.execute_async("m:A", "go", i))["args"] == [i]

children = []
for number in range(5):
    children.append(child(calls))
    go(-number)
finish(*children)
go(9)
"""

HALF = """
stream = client.stream("m:A", "numbers", 100)
assert [next(stream) for _ in range(3)] == [0, 1, 2]

def read():
    try:
        next(stream)
    except errors.DirtyCancelledError as error:
        assert "belongs to the process that was forked" in error.message
    else:
        raise AssertionError
    assert list(stream) == []
    stream.close()
    client.close()
    go(1)

finish(child(read), child(stream.close), child(lambda: None))
assert list(stream) == list(range(3, 100))
"""

COPIES = """
# The child lives on, and its copies of the descriptors do not hide from the server that the parent leaves.
stream = client.stream("m:A", "endless", 1)
next(stream)
more = [client.stream("m:A", "numbers", 1) for _ in range(3)]
assert [list(numbers) for numbers in more] == [[0]] * 3
reads, writes = os.pipe()
pid = child(lambda: os.read(reads, 1))
stream.close()
client.close()
import time
limit = time.monotonic() + 60
while not os.path.exists(ended) or dirtyd.DirtyClient(path).execute("m:A", "count", "open") != 1:
    assert time.monotonic() < limit
    time.sleep(0.002)
os.write(writes, b"x")
finish(pid)
"""

READ_BY_ANOTHER_THREAD = """
stream = client.stream("m:A", "endless", 1)
next(stream)
reader = threading.Thread(target=lambda: list(stream), daemon=True)
reader.start()
while dirtyd.DirtyClient(path).execute("m:A", "count", "waiting") != 1:
    pass

def read():
    try:
        next(stream)
    except errors.DirtyCancelledError:
        stream.close()
    go(1)

finish(child(read))
assert reader.is_alive()
"""

LOOP = """
async def main():
    stream = client.stream_async("m:A", "numbers", 100)
    assert [await anext(stream) for _ in range(3)] == [0, 1, 2]
    endless = client.stream_async("m:A", "endless", 1)
    await anext(endless)
    await client.execute_async("m:A", "go")
    waiting = asyncio.ensure_future(client.execute_async("m:A", "meet", 2))
    await asyncio.sleep(0)

    def calls():
        go(1)
        try:
            stream.__anext__().send(None)
        except errors.DirtyCancelledError as error:
            assert "belongs to the process that was forked" in error.message
        else:
            raise AssertionError
        async def one():
            assert (await client.execute_async("m:A", "go", 2))["args"] == [2]
            assert [chunk async for chunk in client.stream_async("m:A", "numbers", 2)] == [0, 1]
        thread = threading.Thread(target=asyncio.run, args=(one(),))
        thread.start()
        thread.join()

    pid = child(calls, os._exit)  # The child must not run on in the loop.
    await client.execute_async("m:A", "meet", 2)
    await waiting
    assert [chunk async for chunk in stream] == list(range(3, 100))
    await asyncio.to_thread(finish, pid)
    await endless.aclose()

asyncio.run(main())
"""

MULTIPROCESSING = """
import multiprocessing
go(0)
with multiprocessing.get_context("fork").Pool(4) as pool:
    assert pool.map(go, range(100)) == [None] * 100
go(1)
"""


def run(server: Server, script: str, when: str = "") -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", BEGIN + script,
         server.socket, server.directory / "ended", when],
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("when", ["before the first use", "after the first use", "from a busy parent"])
def test_forked_processes_have_connections_of_their_own(server: Server, when: str) -> None:
    run(server, FORK, when)


def test_a_half_read_stream_stays_with_the_parent(server: Server) -> None:
    run(server, HALF)


def test_a_child_keeps_no_connection_open(server: Server) -> None:
    run(server, COPIES)


def test_a_stream_that_another_thread_reads_at_the_fork(server: Server) -> None:
    run(server, READ_BY_ANOTHER_THREAD)


def test_a_fork_within_an_event_loop(server: Server) -> None:
    run(server, LOOP)


def test_a_pool_of_processes(server: Server) -> None:
    run(server, MULTIPROCESSING)
