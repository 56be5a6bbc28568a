"""Waiting for bytes on a socket, such that another thread can end the wait."""

import os
import select
import socket
from contextlib import suppress


class Waiter:
    """Where one thread waits for a socket; any other, or a signal handler, wakes it."""

    def __init__(self, sock: socket.socket) -> None:
        self._woken, self._wake = os.pipe()
        for end in (self._woken, self._wake):
            os.set_blocking(end, False)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)

    def wait(self) -> bool:
        """True as soon as there is something to read, be it the end of the file; False if woken."""
        for fd, _ in self._poll.poll():
            if fd == self._woken:
                os.read(fd, 4096)
                return False
        return True

    def wake(self) -> None:
        """End the running wait, or the next one. Safe in a signal handler."""
        with suppress(BlockingIOError):  # The pipe is full of reasons to wake already.
            os.write(self._wake, b"\0")

    def close(self) -> None:
        """Let go of the pipe; for a child that user code forked."""
        os.close(self._woken)
        os.close(self._wake)
