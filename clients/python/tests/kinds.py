"""The four kinds of call, behind one form."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from dirtyd import DirtyClient

PATIENCE = 60.0

#: Calls an action and returns its result, or the list of its chunks.
Call = Callable[..., Any]


def execute(client: DirtyClient, action: str, *args: Any) -> Any:
    return client.execute("m:A", action, *args)


def stream(client: DirtyClient, action: str, *args: Any) -> Any:
    return list(client.stream("m:A", action, *args))


def execute_async(client: DirtyClient, action: str, *args: Any) -> Any:
    async def run() -> Any:
        return await client.execute_async("m:A", action, *args)

    return LOOP.run_until_complete(run())


def stream_async(client: DirtyClient, action: str, *args: Any) -> Any:
    async def run() -> Any:
        return [chunk async for chunk in client.stream_async("m:A", action, *args)]

    return LOOP.run_until_complete(run())


#: One loop, so that a call finds the connections of the calls before it.
LOOP = asyncio.new_event_loop()

every_kind_of_call = pytest.mark.parametrize("call", [execute, stream, execute_async, stream_async])


def eventually(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.002)
