"""`python -m dirtyd.worker`: one worker process, started by the arbiter."""

import faulthandler
import io
import os
import signal
import socket
import sys
from contextlib import suppress

from dirtyd.worker.interrupt import SIGNAL
from dirtyd.worker.link import Link
from dirtyd.worker.runtime import Runtime

FD = "DIRTYD_WORKER_FD"


def main() -> int:
    """Run the worker; return its exit status."""
    sock = _inherited_socket()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # The arbiter logs line by line.
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    # Written in C by the signal's handler itself: it works while native code holds the interpreter lock.
    faulthandler.register(signal.SIGQUIT, all_threads=True)
    # Ctrl-C at a terminal reaches the whole process group; when to end is the arbiter's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    link = Link(sock)
    runtime = Runtime(link)
    signal.signal(signal.SIGTERM, lambda signum, frame: runtime.stop())
    _make_children_no_workers(link)
    return runtime.run()


def _inherited_socket() -> socket.socket:
    number = os.environ.pop(FD, "")
    try:
        sock = socket.socket(fileno=int(number))
    except (ValueError, OSError) as error:
        sys.exit(f"dirtyd.worker: {FD}={number!r} names no socket ({error}); dirtyd starts this program itself")
    sock.set_inheritable(False)
    return sock


def _make_children_no_workers(link: Link) -> None:
    """A process that an action forks has neither the socket nor the signal handlers of the worker."""

    def in_child() -> None:
        link.close()
        with suppress(ValueError):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(SIGNAL, signal.SIG_DFL)
        unblock()

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def block() -> None:
        # Else one that meets the child before it has the default handler back would be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    os.register_at_fork(before=block, after_in_parent=unblock, after_in_child=in_child)


if __name__ == "__main__":
    sys.exit(main())
