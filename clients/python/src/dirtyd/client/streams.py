"""The chunks of a stream. A caller who leaves a stream early cancels the call, and with it the action."""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

import grpc

from dirtyd.client.attempts import Attempts
from dirtyd.errors import DirtyError
from dirtyd.values import decode

Translate = Callable[[grpc.RpcError], DirtyError]
#: Starts the call; takes the seconds that the call has, or None for no limit.
Start = Callable[[float | None], Any]


class Stream:
    """An iterator over the chunks as the action produces them. To cancel, close it, leave its `with`, or drop it."""

    def __init__(self, start: Start, translate: Translate, attempts: Attempts) -> None:
        self._start, self._translate, self._attempts = start, translate, attempts
        self._closed, self._pid = True, os.getpid()  # Until the call has started there is nothing to cancel.
        self._call = start(attempts.timeout())
        self._closed = False

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> Any:
        while not self._closed:
            try:
                response = next(self._call)
            except StopIteration:
                self._closed = True
                raise
            except grpc.RpcError as error:
                failure = self._translate(error)
            else:
                self._attempts.end()
                return decode(response.chunk)
            pause = self._attempts.pause(failure)
            if pause is None:
                self._closed = True
                raise failure
            time.sleep(pause)
            self._call = self._start(self._attempts.timeout())
            if self._closed:  # By another thread, which knew only the call before.
                self._call.cancel()
        raise StopIteration

    def close(self) -> None:
        """Cancel the call, unless it has ended."""
        self._closed = True
        self._call.cancel()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # In a forked child the call belongs to the parent.
        if not self._closed and self._pid == os.getpid():
            self.close()


class AsyncStream:
    """The async twin of Stream."""

    def __init__(self, start: Start, translate: Translate, attempts: Attempts) -> None:
        self._start, self._translate, self._attempts = start, translate, attempts
        self._closed, self._pid = True, os.getpid()  # Until the call has started there is nothing to cancel.
        self._begin()
        self._closed = False

    def _begin(self) -> None:
        self._call = self._start(self._attempts.timeout())
        self._chunks = aiter(self._call)

    def __aiter__(self) -> "AsyncStream":
        return self

    async def __anext__(self) -> Any:
        while not self._closed:
            try:
                response = await anext(self._chunks)
            except (StopAsyncIteration, asyncio.CancelledError):
                self._closed = True
                self._call.cancel()
                raise
            except grpc.RpcError as error:
                failure = self._translate(error)
            else:
                self._attempts.end()
                return decode(response.chunk)
            pause = self._attempts.pause(failure)
            if pause is None:
                self._closed = True
                raise failure
            await asyncio.sleep(pause)
            if not self._closed:
                self._begin()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Cancel the call, unless it has ended."""
        self._closed = True
        self._call.cancel()

    async def __aenter__(self) -> "AsyncStream":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if not self._closed and self._pid == os.getpid():
            with suppress(RuntimeError):  # The loop is closed, and so is the call.
                self._call.cancel()
