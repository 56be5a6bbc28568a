"""The chunks of a stream. Leaving one early cancels the call, and with it the action."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

import grpc

from dirtyd.errors import DirtyError
from dirtyd.values import decode

Translate = Callable[[grpc.RpcError], DirtyError]


class Stream:
    """An iterator over the chunks, as the action produces them. Close it, leave its `with`, or drop it to cancel."""

    def __init__(self, call: Any, translate: Translate) -> None:
        self._call, self._translate = call, translate
        self._closed, self._pid = False, os.getpid()

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> Any:
        if self._closed:
            raise StopIteration
        try:
            return decode(next(self._call).chunk)
        except StopIteration:
            self._closed = True
            raise
        except grpc.RpcError as error:
            self._closed = True
            raise self._translate(error) from None

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
        # In a forked child the call is still the parent's.
        if not self._closed and self._pid == os.getpid():
            self.close()


class AsyncStream:
    """The async twin of Stream."""

    def __init__(self, call: Any, translate: Translate) -> None:
        self._call, self._translate = call, translate
        self._chunks = aiter(call)
        self._closed, self._pid = False, os.getpid()

    def __aiter__(self) -> "AsyncStream":
        return self

    async def __anext__(self) -> Any:
        if self._closed:
            raise StopAsyncIteration
        try:
            return decode((await anext(self._chunks)).chunk)
        except (StopAsyncIteration, asyncio.CancelledError):
            self._closed = True
            self._call.cancel()
            raise
        except grpc.RpcError as error:
            self._closed = True
            raise self._translate(error) from None

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
            with suppress(RuntimeError):  # The loop is closed, and the call with it.
                self._call.cancel()
