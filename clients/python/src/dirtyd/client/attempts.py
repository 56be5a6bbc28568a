"""The attempts at one call: the first one, and more if the call has certainly not started."""

import random
from time import monotonic

from dirtyd import errors

FIRST_DELAY = 0.05
MAX_DELAY = 2.0


class Attempts:
    """The retries that are left, and the seconds that all attempts share."""

    __slots__ = ("_deadline", "_made", "_retries", "_timeout")

    def __init__(self, timeout: float | None, retries: int) -> None:
        self._deadline = None if timeout is None else monotonic() + timeout
        self._timeout, self._retries, self._made = timeout, retries, 0

    def timeout(self) -> float | None:
        """Return the seconds that an attempt has that begins now; None for no limit."""
        if not self._made:  # The first one begins with the call.
            return self._timeout
        return None if self._deadline is None else max(0.0, self._deadline - monotonic())

    def pause(self, failure: errors.DirtyError) -> float | None:
        """Return the seconds to wait before the next attempt; None if there is no further one, or no time for it."""
        if self._made >= self._retries or not failure.is_safe_to_retry:
            return None
        base = min(FIRST_DELAY * 2 ** min(self._made, 10), MAX_DELAY)
        self._made += 1
        # The waits are spread, so that callers who were refused together do not come back together.
        wait = max(failure.retry_after or 0.0, base / 2) + random.uniform(0, base / 2)
        left = self.timeout()
        return wait if left is None or wait < left else None

    def end(self) -> None:
        """Note that the call has begun, so that there are no further attempts."""
        self._retries = 0
