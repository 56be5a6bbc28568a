"""A fork leaves the connections to the parent.

A forked child has a copy of each descriptor. As long as it holds one open, the
arbiter does not see that the parent closes it, and so a call that the parent
cancels would run on. The child closes its copies, and only these: it never
shuts a connection down, and never touches an event loop, which it shares with
the parent in the kernel.
"""

import os
import threading

# Of a pair of sockets one end whose other end is closed: whatever touches it sees a connection that has ended.
from _socket import socketpair
from typing import Protocol
from weakref import WeakSet


class Leaves(Protocol):
    """Whoever has connections."""

    def leave_to_parent(self, ended: int) -> None:
        """Put the descriptor `ended` in the place of each connection."""


#: Those who have connections.
holders: WeakSet[Leaves] = WeakSet()

#: Held while a descriptor is made, closed or shut down, so that a fork finds each either known or gone, and nobody
#: shuts down what has just become another's. Nobody waits for anything with it.
guard = threading.RLock()

#: Held while a module is imported at its first use: a fork in the middle would leave it locked for ever in the child.
importing = threading.RLock()

#: Changes with each fork, in the child.
generation = 0


def _before() -> None:
    importing.acquire()
    guard.acquire()


def _in_parent() -> None:
    guard.release()
    importing.release()


def _in_child() -> None:
    global generation, guard, importing
    generation += 1
    # Who forks without telling Python before may have done so while another thread held them.
    guard, importing = threading.RLock(), threading.RLock()
    if holders:
        ended, other = socketpair()
        other.close()
        for holder in list(holders):
            holder.leave_to_parent(ended.fileno())
        ended.close()


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
