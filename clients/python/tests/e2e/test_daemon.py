"""The client, the daemon and the worker runtime together."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from daemon import PATIENCE
from dirtyd import DirtyClient, errors

APP = "apps:App"


def eventually(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_values(client: DirtyClient) -> None:
    array = np.arange(6, dtype="int16").reshape(2, 3)
    value = [None, True, 1, 1.0, "a", b"b", [], {"k": [2**63 - 1]}]
    back = client.execute(APP, "echo", *value, array, x=value)
    assert back["args"][:-1] == value == back["kwargs"]["x"]
    assert np.array_equal(back["args"][-1], array)


def test_state_and_coroutines(client: DirtyClient) -> None:
    first = client.execute(APP, "count")
    assert client.execute(APP, "count") == first + 1
    assert client.execute(APP, "later", 5) == 5


@pytest.mark.parametrize("action", ["numbers", "anumbers"])
def test_streams(client: DirtyClient, action: str) -> None:
    assert list(client.stream(APP, action, 1000)) == list(range(1000))


def test_a_stream_of_one_result(client: DirtyClient) -> None:
    assert list(client.stream(APP, "later", 5)) == [5]


def connections(socket_path: str) -> int:
    """Return the number of the daemon's connections, without the one that asks."""
    ask = [os.environ["DIRTYD_BIN"], "status", "--json", "--socket", socket_path]
    done = subprocess.run(ask, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["arbiter"]["connections"] - 1


def test_threads_have_no_more_connections_than_calls_at_once(socket_path: str, client: DirtyClient) -> None:
    eventually(lambda: connections(socket_path) == 0)  # The connections of other tests are closed.

    def echo(number: int) -> int:
        return client.options(metadata={"x-caller": str(number)}).execute(APP, "echo", number)["args"][0]

    with ThreadPoolExecutor(32) as threads:
        assert list(threads.map(echo, range(200))) == list(range(200))
    assert 1 <= connections(socket_path) <= 32


def test_tasks_have_no_more_connections_than_calls_at_once(socket_path: str) -> None:
    eventually(lambda: connections(socket_path) == 0)

    async def run() -> None:
        async with DirtyClient(socket_path, timeout=PATIENCE) as client:
            for _ in range(3):
                await asyncio.gather(*(client.execute_async(APP, "later", number) for number in range(100)))
            assert await asyncio.to_thread(connections, socket_path) == 100

    asyncio.run(run())


def test_async(socket_path: str) -> None:
    async def run() -> None:
        async with DirtyClient(socket_path, timeout=60) as client:
            assert await asyncio.gather(*(client.execute_async(APP, "later", i) for i in range(20))) == list(range(20))
            assert [chunk async for chunk in client.stream_async(APP, "anumbers", 3)] == [0, 1, 2]

    asyncio.run(run())


def test_leaving_a_stream_closes_the_generator(client: DirtyClient, tmp_path: Path) -> None:
    with client.stream(APP, "endless", str(tmp_path / "closed")) as stream:
        assert [next(stream) for _ in range(3)] == [0, 1, 2]
    eventually((tmp_path / "closed").exists)


def test_the_callers_deadline_sets_the_flag(client: DirtyClient, tmp_path: Path) -> None:
    pid = client.execute(APP, "pid")
    with pytest.raises(errors.DirtyTimeoutError):
        client.options(timeout=0.2).execute(APP, "waits", str(tmp_path / "noticed"))
    eventually((tmp_path / "noticed").exists)
    assert client.execute(APP, "pid") == pid


def test_the_timeout_interrupts_the_action(client: DirtyClient) -> None:
    pid = client.execute("apps:Impatient", "pid")
    with pytest.raises(errors.DirtyTimeoutError) as caught:
        client.execute("apps:Impatient", "sleeps")
    assert caught.value.reason == "EXECUTION_TIMEOUT"
    assert client.execute("apps:Impatient", "pid") == pid


def test_metadata(client: DirtyClient) -> None:
    sent = {"x-user": "ann", "x-raw-bin": b"\xff"}
    assert sent.items() <= client.options(metadata=sent).execute(APP, "metadata").items()


def test_errors(client: DirtyClient) -> None:
    with pytest.raises(errors.DirtyAppError) as caught:
        client.execute(APP, "fails")
    assert (caught.value.code, caught.value.metadata["row"]) == ("NOT_FOUND", "7")
    with pytest.raises(errors.DirtyAppError) as caught:
        client.execute(APP, "raises")
    assert (caught.value.remote_type, caught.value.app, caught.value.action) == ("KeyError", APP, "raises")
    assert "in raises" in (caught.value.remote_traceback or "")
    assert caught.value.worker_pid == client.execute(APP, "pid")


@pytest.mark.parametrize(
    ("app", "action", "kind"),
    [
        ("apps:Gone", "x", errors.DirtyAppNotFoundError),
        (APP, "gone", errors.DirtyActionNotFoundError),
        (APP, "_private", errors.DirtyActionNotFoundError),
        (APP, "a_set", errors.DirtyResultNotSerializableError),
        (APP, "dies", errors.DirtyWorkerCrashedError),
    ],
)
def test_kinds_of_errors(client: DirtyClient, app: str, action: str, kind: type[errors.DirtyError]) -> None:
    with pytest.raises(kind):
        client.execute(app, action)


def test_execute_refuses_streams(client: DirtyClient) -> None:
    with pytest.raises(errors.DirtyActionStreamsError):
        client.execute(APP, "numbers", 3)
