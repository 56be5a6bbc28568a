"""`python -m dirtyd.worker`: one worker process, started by the arbiter."""

import faulthandler
import io
import os
import signal
import socket
import sys
from contextlib import suppress

from dirtyd.log import tell_levels
from dirtyd.worker.interrupt import SIGNAL
from dirtyd.worker.lines import whole_lines
from dirtyd.worker.link import Link
from dirtyd.worker.runtime import Runtime

FD = "DIRTYD_WORKER_FD"
SAFE_PATH = "PYTHONSAFEPATH"


def main() -> int:
    """Run the worker; return its exit status."""
    sock = _inherited_socket()
    _print_line_by_line()
    tell_levels()
    # The arbiter sets this one, so that a file of the app is not taken for a module that the runtime imports. What an
    # action starts is to find its files as ever.
    if os.environ.get(SAFE_PATH) == "dirtyd":
        del os.environ[SAFE_PATH]
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    # The handler is written in C and prints the stacks even while native code holds the interpreter lock.
    faulthandler.register(signal.SIGQUIT, all_threads=True)
    # Ctrl-C at a terminal reaches the whole process group, but the arbiter decides when a worker ends. A handler that
    # does nothing, because a program that an action starts would inherit that the signal is ignored.
    signal.signal(signal.SIGINT, lambda signum, frame: None)
    signal.siginterrupt(signal.SIGINT, False)
    link = Link(sock)
    runtime = Runtime(link)
    signal.signal(signal.SIGTERM, lambda signum, frame: runtime.stop())
    _make_children_no_workers(link)
    return runtime.run()


def _print_line_by_line() -> None:
    """Let the arbiter have whole lines, unless the pool's `env` says otherwise."""
    if os.environ.get("PYTHONUNBUFFERED"):
        return
    sys.stdout = whole_lines(sys.stdout)
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(line_buffering=True, errors="backslashreplace")


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

    # The worker alone: a child inherits these functions, and has nothing of the worker any more when it forks.
    worker = os.getpid()
    is_child = False

    def in_child() -> None:
        nonlocal is_child
        if is_child:
            return
        is_child = True
        link.close()
        with suppress(ValueError):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(SIGNAL, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def unblock() -> None:
        if os.getpid() == worker:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def block() -> None:
        # Otherwise a SIGTERM would be lost that reaches the child before the child has the default handler again.
        if os.getpid() == worker:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    os.register_at_fork(before=block, after_in_parent=unblock, after_in_child=in_child)


if __name__ == "__main__":
    sys.exit(main())
