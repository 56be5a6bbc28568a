"""The twin of Stream for event loops."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any

from dirtyd.client import forks
from dirtyd.client.attempts import Attempts
from dirtyd.client.evented import Reading
from dirtyd.client.messages import result
from dirtyd.client.status import Failed, cancelled
from dirtyd.client.streams import IN_A_CHILD, Translate

#: Starts the call; takes the seconds that the call has, or None for no limit.
Start = Callable[[float | None], Reading]


class AsyncStream:
    """An async iterator over the chunks as the action produces them. To cancel, aclose it, or drop it."""

    def __init__(self, start: Start, translate: Translate, attempts: Attempts) -> None:
        self._start, self._translate, self._attempts = start, translate, attempts
        self._closed, self._generation = False, forks.generation
        self._reading: Reading | None = None
        self._failed: Failed | None = None
        self._begin()

    def _begin(self) -> None:
        """Start the call. Its failure is that of the next chunk."""
        try:
            self._reading = self._start(self._attempts.timeout())
        except Failed as failed:
            self._failed = failed

    def __aiter__(self) -> "AsyncStream":
        return self

    async def __anext__(self) -> Any:
        while not self._closed:
            try:
                if self._generation != forks.generation:
                    raise cancelled(IN_A_CHILD)
                if self._failed is not None:
                    raise self._failed
                assert self._reading is not None
                data = await self._reading.next()
                if data is not None:
                    self._attempts.end()
                    return result(data)
                self._end()
                break
            except Failed as failed:
                self._failed = None
                failure = self._translate(failed)
            except asyncio.CancelledError:
                self._end()
                raise
            pause = None if self._closed else self._attempts.pause(failure)
            if pause is None:
                self._end()
                raise failure
            await asyncio.sleep(pause)
            if not self._closed:
                self._begin()
        raise StopAsyncIteration

    def _end(self) -> None:
        self._closed = True
        if self._reading is not None and self._generation == forks.generation:
            self._reading.close()

    async def aclose(self) -> None:
        """Cancel the call, unless it has ended."""
        self._end()

    async def __aenter__(self) -> "AsyncStream":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if self._reading is not None and self._generation == forks.generation:
            self._reading.drop()
