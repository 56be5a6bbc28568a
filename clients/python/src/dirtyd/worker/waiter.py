"""Waiting for bytes on a socket, such that another thread can end the wait."""

import os
import select
import socket
from contextlib import suppress
from time import perf_counter

# A look takes so long at most if nobody else wants the core or the interpreter lock.
NOBODY = 20e-6
# Who keeps it for so long computes. Who sleeps would be let in before it, who offers his core is not: so nobody looks
# then, for the first of these times, and twice as long whenever it happens again, up to the second.
LONG = 500e-6
PAUSE, LONGEST_PAUSE = 0.02, 10.0


class Waiter:
    """Where one thread waits for a socket; any other, or a signal handler, wakes it.

    Told to, it waits with open eyes: after a wait that was shorter than the
    window it looks again and again for so long before it sleeps, because to be
    woken takes longer than a small call. It stops looking when a wait was longer
    (so an idle worker sleeps), or when others want the core.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._woken, self._wake = os.pipe()
        for end in (self._woken, self._wake):
            os.set_blocking(end, False)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)
        self._window = 0.0
        self._looks = False
        self._crowded_until = self._pause = 0.0

    def look_for(self, seconds: float) -> None:
        """Look for so long before sleeping; 0 for not at all."""
        self._window = seconds

    def wait(self) -> bool:
        """True as soon as there is something to read, be it the end of the file; False if woken."""
        began = perf_counter()
        found = self._look(began) if self._looks else []
        if not found:
            found = self._poll.poll()
        now = perf_counter()
        self._looks = now - began < self._window and now >= self._crowded_until
        for fd, _ in found:
            if fd == self._woken:
                os.read(fd, 4096)
                return False
        return True

    def _look(self, began: float) -> list[tuple[int, int]]:
        """What there is within the window, if anything."""
        poll, end = self._poll.poll, began + self._window
        last = began
        while not (found := poll(0)):
            os.sched_yield()
            now = perf_counter()
            if now - last > LONG:
                self._give_way(now)
            if now >= end or now - last > NOBODY:
                break
            last = now
        return found

    def _give_way(self, now: float) -> None:
        again = now < self._crowded_until + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE) if again else PAUSE
        self._crowded_until = now + self._pause

    def wake(self) -> None:
        """End the running wait, or the next one. Safe in a signal handler."""
        with suppress(BlockingIOError):  # The pipe is full of reasons to wake already.
            os.write(self._wake, b"\0")

    def close(self) -> None:
        """Let go of the pipe; for a child that user code forked."""
        os.close(self._woken)
        os.close(self._wake)
