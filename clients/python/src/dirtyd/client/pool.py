"""The connections of one client in one process, or in one event loop.

A call takes a connection for itself and gives it back when it has its whole
answer, so there are never more connections than calls at once. Nothing runs in
the background: who gives one back closes those that were not needed lately.
"""

import os
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import Generic, Protocol, TypeVar
from weakref import ref

from dirtyd.client import forks

#: How many connections a call tries if the arbiter closes each of them without reading the request, as one that ends.
TRIES = 4
#: The seconds after which a connection that no call has needed is closed.
REST = 10.0


class Pooled(Protocol):
    """A connection, as the pool sees it."""

    #: When its last call ended.
    since: float

    def fileno(self) -> int:
        """Return its descriptor, or -1 once it is closed."""

    def is_ready(self) -> bool:
        """Return True if nothing has come since its last call, not even its end."""

    def cancel(self) -> None:
        """End the call that uses it, from wherever."""

    def close(self) -> None:
        """Close it. Does nothing the second time."""


C = TypeVar("C", bound=Pooled)


class Pool(Generic[C]):
    """Safe across threads and forks."""

    def __init__(self) -> None:
        self._resting: deque[C] = deque()  # The one that rests for the shortest time is at the right end.
        #: All connections, by their ids. A connection adds and removes itself.
        self.open: dict[int, ref[C]] = {}
        forks.holders.add(self)

    def take(self) -> C | None:
        """Return a connection that rests, for one call; None if the call has to open one."""
        while True:
            try:
                connection = self._resting.pop()
            except IndexError:
                return None
            if connection.is_ready():
                return connection
            connection.close()

    def give(self, connection: C) -> None:
        """Take back a connection whose call has its whole answer."""
        resting = self._resting
        now = connection.since = monotonic()
        resting.append(connection)
        try:
            while resting[0].since < now - REST:
                oldest = resting.popleft()
                if oldest.since < now - REST:
                    oldest.close()
                else:  # Another thread was faster.
                    resting.appendleft(oldest)
        except IndexError:  # Others have taken all of them.
            pass

    def drop(self, connection: C) -> None:
        """Forget a connection that has ended while it rested."""
        with suppress(ValueError):
            self._resting.remove(connection)

    def close(self) -> None:
        """Close the connections that rest, and end the calls that use the others."""
        while True:
            try:
                self._resting.pop().close()
            except IndexError:
                break
        for known in list(self.open.values()):
            if (connection := known()) is not None:
                connection.cancel()

    def leave_to_parent(self, ended: int) -> None:
        """In a forked child: put the descriptor `ended` in the place of each connection."""
        for known in list(self.open.values()):
            if (connection := known()) is not None and connection.fileno() >= 0:
                os.dup2(ended, connection.fileno(), inheritable=False)
        self.open.clear()
        self._resting.clear()
