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
    # The handler is written in C and prints the stacks even while native code holds the interpreter lock.
    faulthandler.register(signal.SIGQUIT, all_threads=True)
    # Ctrl-C at a terminal reaches the whole process group, but the arbiter decides when a worker ends.
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
        sys.exit(f"dirtyd.worker: {FD}={number!r} is not a socket ({error}); only dirtyd can start this program")
    sock.set_inheritable(False)
    return sock


def _make_children_no_workers(link: Link) -> None:
    """Take the socket and the signal handlers of the worker from every process that an action forks."""

    def in_child() -> None:
        link.close()
        with suppress(ValueError):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(SIGNAL, signal.SIG_DFL)
        unblock()

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def block() -> None:
        # Otherwise a SIGTERM would be lost that reaches the child before the child has the default handler again.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    os.register_at_fork(before=block, after_in_parent=unblock, after_in_child=in_child)


if __name__ == "__main__":
    sys.exit(main())
