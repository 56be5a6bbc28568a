"""A wait for bytes on a socket that another thread can end."""

import os
import select
import socket
from contextlib import suppress
from time import perf_counter

# The longest time that a look takes while nobody else wants the core or the interpreter lock.
NOBODY = 20e-6
# A process that keeps the core for LONG computes. The scheduler lets a process that sleeps in before it, but not one
# that offers its core. So the waiter then does not look for PAUSE, and for twice as long whenever that happens again,
# up to LONGEST_PAUSE.
LONG = 500e-6
PAUSE, LONGEST_PAUSE = 0.02, 10.0


class Waiter:
    """Where one thread waits for a socket. Any other thread, or a signal handler, can wake it.

    With a window (`look_for`) the waiter waits with open eyes: after a wait that
    was shorter than the window, it looks again and again, for as long as the
    window, before it sleeps, because a wake takes longer than a small call. It
    does not look after a longer wait, so that an idle worker sleeps, nor when
    others want the core.
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
        """Look for `seconds` before sleeping; 0 for not at all."""
        self._window = seconds

    def wait(self) -> bool:
        """Return True as soon as there is something to read, perhaps the end of file; False after a wake."""
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
        """Return what becomes ready within the window, perhaps nothing."""
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
        """End the running wait, or the next one. A signal handler may call this."""
        with suppress(BlockingIOError):  # The pipe is already full of wakes.
            os.write(self._wake, b"\0")

    def close(self) -> None:
        """Close the pipe, in a child that user code has forked."""
        os.close(self._woken)
        os.close(self._wake)
