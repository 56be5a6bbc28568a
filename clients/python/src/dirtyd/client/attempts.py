"""The attempts at one call: the first, and further ones if it certainly had not started."""

import random
from time import monotonic

from dirtyd import errors

#: The arbiter says of these that no worker has seen the call. Nothing else is tried again.
UNSTARTED = (errors.DirtyQueueFullError, errors.DirtyNoWorkersAvailableError, errors.DirtyDrainingError)

FIRST_DELAY = 0.05
MAX_DELAY = 2.0


class Attempts:
    """How many attempts are left, and the time that all of them share, in seconds."""

    __slots__ = ("_deadline", "_made", "_retries")

    def __init__(self, timeout: float | None, retries: int) -> None:
        self._deadline = None if timeout is None else monotonic() + timeout
        self._retries, self._made = retries, 0

    def timeout(self) -> float | None:
        """What is left for an attempt that begins now."""
        return None if self._deadline is None else max(0.0, self._deadline - monotonic())

    def pause(self, failure: errors.DirtyError) -> float | None:
        """How long to wait before another attempt; None if there is to be none, or no time for it."""
        if self._made >= self._retries or not isinstance(failure, UNSTARTED):
            return None
        base = min(FIRST_DELAY * 2 ** min(self._made, 10), MAX_DELAY)
        self._made += 1
        # Spread, so that callers who were refused together do not come back together.
        wait = max(failure.retry_after or 0.0, base / 2) + random.uniform(0, base / 2)
        left = self.timeout()
        return wait if left is None or wait < left else None

    def end(self) -> None:
        """Note that the call has begun: there are no further attempts."""
        self._retries = 0
