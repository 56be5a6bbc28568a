"""The chunks of a stream. A caller who leaves a stream early cancels the call, and with it the action."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from dirtyd.client import forks
from dirtyd.client.attempts import Attempts
from dirtyd.client.blocking import Reading
from dirtyd.client.messages import result
from dirtyd.client.status import Failed, cancelled
from dirtyd.errors import DirtyError

Translate = Callable[[Failed], DirtyError]
#: Starts the call; takes the seconds that the call has, or None for no limit.
Start = Callable[[float | None], Reading]

IN_A_CHILD = "the stream belongs to the process that was forked; the child calls the action itself"


class Stream:
    """An iterator over the chunks as the action produces them. To cancel, close it, leave its `with`, or drop it."""

    def __init__(self, start: Start, translate: Translate, attempts: Attempts) -> None:
        self._start, self._translate, self._attempts = start, translate, attempts
        self._closed, self._generation = False, forks.generation
        self._reading: Reading | None = None
        self._failed: Failed | None = None
        self._turn = threading.Lock()  # Held by the thread that reads.
        self._begin()

    def _begin(self) -> None:
        """Start the call. Its failure is that of the next chunk."""
        try:
            self._reading = self._start(self._attempts.timeout())
        except Failed as failed:
            self._failed = failed

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> Any:
        if self._generation != forks.generation and not self._closed:
            self._closed = True
            raise self._translate(cancelled(IN_A_CHILD))
        if self._closed:
            raise StopIteration
        try:
            with self._turn:
                return self._next()
        finally:
            if self._closed:  # By another thread, while this one had its turn.
                self.close()

    def _next(self) -> Any:
        while not self._closed:
            try:
                if self._failed is not None:
                    raise self._failed
                assert self._reading is not None
                data = self._reading.next()
                if data is not None:
                    self._attempts.end()
                    return result(data)
                self._closed = True
                break
            except Failed as failed:
                self._reading, self._failed = None, None
                failure = self._translate(failed)
            pause = None if self._closed else self._attempts.pause(failure)
            if pause is None:
                self._closed = True
                raise failure
            time.sleep(pause)
            if not self._closed:
                self._begin()
        raise StopIteration

    def close(self) -> None:
        """Cancel the call, unless it has ended."""
        self._closed = True
        reading = self._reading
        if reading is None or self._generation != forks.generation:
            return
        if self._turn.acquire(blocking=False):
            reading.close()
            self._turn.release()
        else:
            reading.cancel()  # The thread that reads closes it.

    def __enter__(self) -> "Stream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
