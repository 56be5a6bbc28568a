"""Waiting for bytes on a socket, such that another thread can end the wait."""

import os
import select
import socket
from contextlib import suppress
from time import perf_counter

# A look takes so long at most if nobody else wants the core or the interpreter lock.
NOBODY = 20e-6


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

    def look_for(self, seconds: float) -> None:
        """Look for so long before sleeping; 0 for not at all."""
        self._window = seconds

    def wait(self) -> bool:
        """True as soon as there is something to read, be it the end of the file; False if woken."""
        began = perf_counter()
        found = self._look(began) if self._looks else []
        if not found:
            found = self._poll.poll()
        self._looks = perf_counter() - began < self._window
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
            if now >= end or now - last > NOBODY:
                break
            last = now
        return found

    def wake(self) -> None:
        """End the running wait, or the next one. Safe in a signal handler."""
        with suppress(BlockingIOError):  # The pipe is full of reasons to wake already.
            os.write(self._wake, b"\0")

    def close(self) -> None:
        """Let go of the pipe; for a child that user code forked."""
        os.close(self._woken)
        os.close(self._wake)
