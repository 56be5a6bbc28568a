"""Which failures the client retries, and which it does not, in each of its four kinds of call."""

import asyncio
import time
from collections.abc import Callable
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
        return client.execute("m:A", "attempts", "x")


@every_kind_of_call
@pytest.mark.parametrize("reason", ["QUEUE_FULL", "NO_WORKERS", "DRAINING"])
def test_what_had_not_started_is_tried_again(server: Server, call: Call, reason: str) -> None:
    began = time.monotonic()
    call(server, 2, "x", 2, "UNAVAILABLE", reason, {}, 0.1)
    assert attempts(server) == 3
    assert time.monotonic() - began >= 0.2, "it waits as long as the arbiter asks for"


@every_kind_of_call
@pytest.mark.parametrize(
    "reason", ["WORKER_CRASHED", "APP_ERROR", "QUEUE_TIMEOUT", "EXECUTION_TIMEOUT", "CANCELLED", ""]
)
def test_what_may_have_started_is_not(server: Server, call: Call, reason: str) -> None:
    with pytest.raises(errors.DirtyError) as caught:
        call(server, 5, "x", 1, "UNAVAILABLE", reason, {}, 0.0)
    assert (caught.value.reason, attempts(server)) == (reason, 1)


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
