"""The credit of a stream, by which the arbiter holds back a generator."""

import threading
from collections.abc import Callable

from dirtyd.worker.link import Payload


class Credit:
    """The two counts of `dirty.worker.v1.Credit`, and whom to wake when they grow. Nobody else counts."""

    __slots__ = ("_bytes", "_chunks", "_closed", "_lock", "_wake")

    def __init__(self, chunks: int, size: int) -> None:
        self._chunks, self._bytes = chunks, size
        self._lock = threading.Lock()
        self._wake: Callable[[], None] | None = None
        self._closed = False

    def take(self, payload: Payload) -> bool:
        """Take the credit for one chunk. Return False if there is none."""
        with self._lock:
            if self._chunks <= 0 or self._bytes <= 0:
                return False
            self._chunks -= 1
            self._bytes -= len(payload[0]) + len(payload[1])
            return True

    def add(self, chunks: int, size: int) -> None:
        """Add what a Credit frame grants: a number of chunks, and of bytes."""
        with self._lock:
            self._chunks += chunks
            self._bytes += size
            wake = self._due()
        if wake:
            wake()

    def close(self) -> None:
        """End the wait, if there is one, because the call is cancelled."""
        with self._lock:
            self._closed = True
            wake = self._due()
        if wake:
            wake()

    def ready(self) -> bool:
        """Return True if there is nothing to wait for: there is credit, or the call is cancelled."""
        return self._closed or self._available()

    def when_ready(self, wake: Callable[[], None]) -> None:
        """Call `wake` once, as soon as `ready()`, on the thread that reads or on this one."""
        with self._lock:
            self._wake = wake
            due = self._due()
        if due:
            due()

    def _available(self) -> bool:
        return self._chunks > 0 and self._bytes > 0

    def _due(self) -> Callable[[], None] | None:
        if not self.ready():
            return None
        wake, self._wake = self._wake, None
        return wake
