"""The blocking client under gevent and eventlet, in any order of import, use and patching."""

import subprocess
import sys

import pytest

from kinds import PATIENCE
from server_process import Server

GEVENT = """
def patch():
    import gevent.monkey
    gevent.monkey.patch_all()
def spawn(function, *args):
    import gevent
    return gevent.spawn(function, *args)
def wait(greenlet):
    return greenlet.get(timeout=30)
"""

EVENTLET = """
import warnings
warnings.simplefilter("ignore")
def patch():
    import eventlet
    eventlet.monkey_patch()
def spawn(function, *args):
    import eventlet
    return eventlet.spawn(function, *args)
def wait(greenlet):
    import eventlet
    with eventlet.Timeout(30):
        return greenlet.wait()
"""

CALLS = """
import sys
path, order = sys.argv[1:]
if order == "patch, import":
    patch()
import dirtyd, time, os
from dirtyd import errors
client = dirtyd.DirtyClient(path)
if order == "import, use, patch":
    client.execute("m:A", "go")
    chunks = client.stream("m:A", "numbers", 3)
    next(chunks)
    patch()
    assert list(chunks) == [1, 2]
if order == "import, patch":
    patch()

# None of them is answered before all have called.
assert [wait(one)["args"] for one in [spawn(client.execute, "m:A", "meet", 10) for _ in range(10)]] == [[10]] * 10

def numbers():
    return list(client.stream("m:A", "numbers", 500))
assert [wait(one) for one in [spawn(numbers) for _ in range(10)]] == [list(range(500))] * 10
big = bytes(3_000_000)
assert all(wait(one)["args"] == [big] for one in [spawn(client.execute, "m:A", "go", big) for _ in range(3)])

def failure(function, *args):
    # Greenlets print what they raise.
    try:
        return function(*args)
    except errors.DirtyError as error:
        return error
assert wait(spawn(failure, client.options(timeout=0.05).execute, "m:A", "never")).reason == "NO_ANSWER"

# A greenlet closes the stream that another one reads.
stream = client.stream("m:A", "endless", 1)
assert next(stream) == 0
reader = spawn(failure, list, stream)
while client.execute("m:A", "count", "waiting") != 1:
    time.sleep(0.002)
stream.close()
assert wait(reader) == [] or isinstance(wait(reader), errors.DirtyCancelledError)
while client.execute("m:A", "count", "waiting"):
    time.sleep(0.002)

pid = os.fork()
if not pid:
    client.execute("m:A", "go")
    assert numbers() == list(range(500))
    os._exit(40)
while os.waitpid(pid, os.WNOHANG) == (0, 0):
    time.sleep(0.002)
client.execute("m:A", "go")
client.close()
"""

LEAVE = """
import gevent
begun = client.execute("m:A", "count", "waiting")
with gevent.Timeout(0.2, False):
    client.execute("m:A", "never")
killed = gevent.spawn(client.execute, "m:A", "never")
while client.execute("m:A", "count", "waiting") != 1:
    time.sleep(0.002)
killed.kill()
while client.execute("m:A", "count", "waiting"):
    time.sleep(0.002)
# A native thread has a hub of its own.
threads = gevent.get_hub().threadpool
assert [one.get(timeout=30)["args"] for one in [threads.spawn(client.execute, "m:A", "go", i) for i in range(20)]] == [
    [i] for i in range(20)
]
assert client.execute("m:A", "go", 1)["args"] == [1]
"""

ORDERS = pytest.mark.parametrize("order", ["patch, import", "import, patch", "import, use, patch"])


def run(server: Server, script: str, order: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script, server.socket, order], capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@ORDERS
def test_gevent(server: Server, order: str) -> None:
    run(server, GEVENT + CALLS + LEAVE, order)


@ORDERS
def test_eventlet(server: Server, order: str) -> None:
    run(server, EVENTLET + CALLS, order)
