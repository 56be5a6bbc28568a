"""Which failures the client retries, and which it does not, in each of its four kinds of call."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dirtyd import DirtyClient, errors
from server_process import Server

Call = Callable[..., Any]


def execute(server: Server, retries: int, *arguments: Any, timeout: float = 30) -> Any:
    with DirtyClient(server.socket, timeout=timeout, retries=retries) as client:
        client.execute("m:A", "fail_first", *arguments)


def stream(server: Server, retries: int, *arguments: Any, timeout: float = 30) -> Any:
    with DirtyClient(server.socket, timeout=timeout) as client:
        assert list(client.options(retries=retries).stream("m:A", "fail_first", 3, *arguments)) == [0, 1, 2]


def execute_async(server: Server, retries: int, *arguments: Any, timeout: float = 30) -> Any:
    async def run() -> None:
        async with DirtyClient(server.socket, timeout=timeout, retries=retries) as client:
            await client.execute_async("m:A", "fail_first", *arguments)

    asyncio.run(run())


def stream_async(server: Server, retries: int, *arguments: Any, timeout: float = 30) -> Any:
    async def run() -> None:
        async with DirtyClient(server.socket, timeout=timeout, retries=retries) as client:
            assert [chunk async for chunk in client.stream_async("m:A", "fail_first", 3, *arguments)] == [0, 1, 2]

    asyncio.run(run())


every_kind_of_call = pytest.mark.parametrize("call", [execute, stream, execute_async, stream_async])


def attempts(server: Server) -> int:
    with DirtyClient(server.socket) as client:
        return client.execute("m:A", "count", "x")


# One table for all clients.
TABLE = json.loads((Path(__file__).parents[3] / "tests/conformance/retries.json").read_text())["failures"]


@every_kind_of_call
@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row['code']}-{row['reason']}")
def test_what_is_tried_again_follows_the_table(server: Server, call: Call, row: dict[str, Any]) -> None:
    began = time.monotonic()
    arguments = ("x", 2, row["code"], row["reason"], {}, 0.1)
    if row["retried"]:
        call(server, 2, *arguments)
        assert time.monotonic() - began >= 0.2, "it waits as long as the arbiter asks for"
    else:
        with pytest.raises(errors.DirtyError) as caught:
            call(server, 2, *arguments)
        assert caught.value.reason == row["reason"]
    assert attempts(server) == (3 if row["retried"] else 1)


@every_kind_of_call
def test_a_daemon_that_is_not_up_yet_is_tried_again(server: Server, call: Call) -> None:
    server.stop()
    with pytest.raises(errors.DirtyConnectionError) as caught:
        call(server, 0, "x", 0, "UNAVAILABLE", "", {}, 0.0)
    assert caught.value.is_safe_to_retry
    waiting = threading.Thread(target=call, args=(server, 1000, "x", 0, "UNAVAILABLE", "", {}, 0.0), daemon=True)
    waiting.start()
    server.start()
    waiting.join(30)
    assert attempts(server) == 1


@every_kind_of_call
def test_retries_end_after_their_number(server: Server, call: Call) -> None:
    with pytest.raises(errors.DirtyDrainingError):
        call(server, 2, "x", 9, "UNAVAILABLE", "DRAINING", {}, 0.0)
    assert attempts(server) == 3


@every_kind_of_call
def test_a_retry_that_the_timeout_has_no_room_for_is_not_made(server: Server, call: Call) -> None:
    began = time.monotonic()
    with pytest.raises(errors.DirtyQueueFullError):
        call(server, 5, "x", 9, "RESOURCE_EXHAUSTED", "QUEUE_FULL", {}, 60.0, timeout=20)
    assert attempts(server) == 1
    assert time.monotonic() - began < 15


def test_the_timeout_bounds_all_attempts_together(server: Server) -> None:
    began = time.monotonic()
    with pytest.raises(errors.DirtyQueueFullError):
        execute(server, 1000, "x", 1000, "RESOURCE_EXHAUSTED", "QUEUE_FULL", {}, 0.05, timeout=1)
    assert attempts(server) > 1
    assert time.monotonic() - began < 15


def test_a_stream_that_has_begun_is_not_tried_again(server: Server) -> None:
    with DirtyClient(server.socket, timeout=30, retries=5) as client:
        chunks = client.stream("m:A", "breaks_off", 2, "DRAINING")
        assert [next(chunks), next(chunks)] == [0, 1]
        with pytest.raises(errors.DirtyDrainingError):
            next(chunks)
        assert list(chunks) == []
