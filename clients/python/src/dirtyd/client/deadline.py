"""The caller's deadline: the arbiter is told it and ends the call; the client waits a little longer for its word."""

from dirtyd.client.connect import MOST

#: The seconds for which a call waits longer than its deadline for the arbiter.
GRACE = 1.0


def patience(timeout: float | None) -> float | None:
    """Return the seconds for which a call with `timeout` seconds waits for the arbiter, or None."""
    return None if timeout is None or timeout > MOST else timeout + GRACE
