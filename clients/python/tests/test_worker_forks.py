"""What another thread held when an action forked does not stop the child."""

import io
import os
import signal
import socket
import threading
from collections.abc import Callable

import pytest

from dirtyd._proto.dirty.worker.v1.worker_pb2 import Pong, WorkerFrame
from dirtyd.worker.lines import Lines
from dirtyd.worker.link import Link

# The seconds after which a child counts as stuck.
PATIENCE = 30


def exit_code(run: Callable[[], None]) -> int:
    """Fork, run in the child, and return how the child ended; a stuck one is ended by SIGALRM."""
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE)
        try:
            run()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def held(lock: threading.Lock, while_held: Callable[[], int]) -> int:
    """Return what `while_held` returns while another thread holds the lock."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    try:
        return while_held()
    finally:
        done.set()
        thread.join()


def test_a_child_prints_although_another_thread_was_printing() -> None:
    read, write = os.pipe()
    lines = Lines(io.TextIOWrapper(os.fdopen(write, "wb")))
    assert held(lines._lock, lambda: exit_code(lambda: print("from the child", file=lines))) == 0
    assert os.read(read, 100) == b"from the child\n"
    lines.close()
    os.close(read)


def test_a_child_answers_nobody_although_another_thread_was_sending() -> None:
    ours, theirs = socket.socketpair()
    link = Link(ours)

    def answers() -> None:
        link.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            link.send(WorkerFrame(pong=Pong(nonce=1)))

    assert held(link._sending, lambda: exit_code(answers)) == 0
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(1)
