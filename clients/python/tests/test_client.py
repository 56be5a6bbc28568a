"""The client against a server in another process."""

import asyncio
import copy
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dirtyd import DirtyClient, errors, get_dirty_client, get_dirty_client_async
from dirtyd.client.address import default_socket_path
from dirtyd.client.status import BY_REASON
from kinds import eventually
from server_process import Server


@pytest.fixture
def client(server: Server) -> Iterator[DirtyClient]:
    with DirtyClient(server.socket) as client:
        yield client


def test_execute(client: DirtyClient) -> None:
    assert client.execute("m:A", "go", 1, None, timeout=2, metadata={"a": b"b"}) == {
        "app": "m:A", "action": "go", "args": [1, None], "kwargs": {"timeout": 2, "metadata": {"a": b"b"}}
    }  # fmt: skip


def test_any_name_may_be_a_keyword_of_the_action(client: DirtyClient) -> None:
    kwargs = {"self": 1, "app_path": 2, "action": 3, "request": 4}
    assert client.execute("m:A", "go", **kwargs)["kwargs"] == kwargs


def test_arrays_and_megabytes(client: DirtyClient) -> None:
    array = np.arange(3_000_000, dtype="float32").reshape(3, -1)
    back = client.execute("m:A", "go", array)["args"][0]
    assert np.array_equal(back, array)


def test_stream(client: DirtyClient) -> None:
    with client.stream("m:A", "numbers", 5) as stream:
        assert list(stream) == [0, 1, 2, 3, 4]
        assert list(stream) == []


@pytest.mark.parametrize("leave", ["close", "with", "drop"])
def test_leaving_a_stream_cancels_it(client: DirtyClient, server: Server, leave: str) -> None:
    stream = client.stream("m:A", "endless", 1)
    assert next(stream) == 0
    assert not server.ended()
    if leave == "close":
        stream.close()
    elif leave == "with":
        with stream:
            pass
    del stream
    eventually(server.ended)


def test_async(server: Server) -> None:
    async def run() -> None:
        async with DirtyClient(server.socket) as client:
            assert (await client.execute_async("m:A", "go", 7))["args"] == [7]
            assert [chunk async for chunk in client.stream_async("m:A", "numbers", 3)] == [0, 1, 2]
            many = await asyncio.gather(*(client.execute_async("m:A", "go", i) for i in range(50)))
            assert [one["args"][0] for one in many] == list(range(50))
            with pytest.raises(errors.DirtyQueueFullError):
                await client.execute_async("m:A", "fail", "RESOURCE_EXHAUSTED", "QUEUE_FULL", {})
            with pytest.raises(errors.DirtyWorkerCrashedError):
                assert [chunk async for chunk in client.stream_async("m:A", "breaks_off", 1)]

    for _ in range(2):  # Each loop has its own connections.
        asyncio.run(run())


@pytest.mark.parametrize("leave", ["aclose", "drop", "cancel"])
def test_leaving_an_async_stream_cancels_it(server: Server, leave: str) -> None:
    async def run() -> None:
        async with DirtyClient(server.socket) as client:
            stream = client.stream_async("m:A", "endless", 1)
            assert await anext(stream) == 0
            if leave == "aclose":
                await stream.aclose()
            elif leave == "cancel":
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(anext(stream), 0.01)
            del stream
            while not server.ended():
                await asyncio.sleep(0.002)

    asyncio.run(asyncio.wait_for(run(), 30))


@pytest.mark.filterwarnings("error")
def test_an_async_stream_needs_a_running_loop(client: DirtyClient) -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        client.stream_async("m:A", "numbers", 1)


def test_cancelling_a_task_cancels_the_call(server: Server) -> None:
    async def run() -> None:
        async with DirtyClient(server.socket) as client:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.execute_async("m:A", "never"), 0.3)
            while not server.ended():
                await asyncio.sleep(0.002)

    asyncio.run(asyncio.wait_for(run(), 30))


def test_options(client: DirtyClient) -> None:
    assert client.execute("m:A", "left") is None
    assert client.options(timeout=9).execute("m:A", "left") == 9
    assert client.options(timeout=1e9).execute("m:A", "left") is None
    assert client.options(timeout=0).execute("m:A", "left") == 0.001
    both = client.with_options(metadata={"x-a": "1"}).with_options(metadata={"x-b-bin": b"\xff"})
    assert both.execute("m:A", "metadata") == {"x-a": "1", "x-b-bin": b"\xff"}
    assert client.execute("m:A", "metadata") == {}
    with pytest.raises(errors.DirtyTimeoutError) as caught:
        client.options(timeout=0.05).execute("m:A", "never")
    assert (caught.value.code, caught.value.app, caught.value.action) == ("DEADLINE_EXCEEDED", "m:A", "never")


@pytest.mark.parametrize("reason", BY_REASON)
def test_every_reason_has_its_class(client: DirtyClient, reason: str) -> None:
    facts = {"worker_pid": "12", "exception_type": "ValueError", "request_id": "r1", "row": "7"}
    with pytest.raises(BY_REASON[reason]) as caught:
        client.execute("m:A", "fail", "ABORTED", reason, facts)
    error = caught.value
    assert (error.message, error.code, error.reason, str(error)) == ("it failed", "ABORTED", reason, "it failed")
    assert (error.app, error.action, error.worker_pid, error.request_id) == ("m:A", "fail", 12, "r1")
    assert (error.remote_type, error.remote_traceback, error.retry_after) == ("ValueError", "Traceback\n  in f", 1.5)
    assert error.metadata == {"row": "7"}
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(twin), vars(twin), str(twin)) == (type(error), vars(error), str(error))
    assert f"reason='{reason}'" in repr(error)


def test_errors_without_details(client: DirtyClient) -> None:
    for code in ("INTERNAL", "PERMISSION_DENIED"):
        with pytest.raises(errors.DirtyError) as caught:
            client.execute("m:A", "bare", code)
        assert (type(caught.value), caught.value.code, caught.value.reason) == (errors.DirtyError, code, "")


def test_values_without_a_form_name_the_argument(client: DirtyClient) -> None:
    with pytest.raises(TypeError, match=r"args\[0\]: set has no form"):
        client.execute("m:A", "go", {1})
    with pytest.raises(TypeError, match=r"rows\[1\]: object has no form"):
        client.execute("m:A", "go", rows=[1, object()])


def test_an_absent_daemon(tmp_path: Path) -> None:
    with pytest.raises(errors.DirtyConnectionError) as caught, DirtyClient(tmp_path / "s") as client:
        client.execute("m:A", "go")
    assert str(tmp_path / "s") in str(caught.value)
    assert "dirtyd serve" in str(caught.value)


def test_a_restarted_daemon_is_found_again(client: DirtyClient, server: Server) -> None:
    assert client.execute("m:A", "go")["action"] == "go"
    server.stop()
    with pytest.raises(errors.DirtyConnectionError):
        client.execute("m:A", "go")
    server.start()

    assert client.execute("m:A", "go")["action"] == "go"


def test_a_closed_client_opens_again(client: DirtyClient) -> None:
    client.execute("m:A", "go")
    client.close()
    assert client.execute("m:A", "go")["action"] == "go"


def test_the_default_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1")
    monkeypatch.setenv("DIRTYD_SOCKET", "/a/b.sock")
    assert DirtyClient("/c.sock").socket_path == "/c.sock"
    assert DirtyClient().socket_path == "/a/b.sock"
    monkeypatch.delenv("DIRTYD_SOCKET")
    assert default_socket_path() == "/run/user/1/dirtyd/dirtyd.sock"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_socket_path() == "/run/dirtyd/dirtyd.sock"
    monkeypatch.setattr(os, "geteuid", lambda: 5)
    monkeypatch.setenv("HOME", "/home/u")
    assert default_socket_path() == "/home/u/.local/state/dirtyd/run/dirtyd.sock"


def test_the_shared_client(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIRTYD_SOCKET", str(server.socket))
    client = get_dirty_client()
    assert client is get_dirty_client() is asyncio.run(get_dirty_client_async())
    assert get_dirty_client(timeout=3).execute("m:A", "left") < 4
    client.close()
