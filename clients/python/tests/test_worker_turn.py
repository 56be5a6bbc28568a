"""Whose turn it is to read: the hand-over between the watcher and a main thread that is late."""

import os
import socket
import threading

import pytest

from dirtyd.worker import turn as turns
from dirtyd.worker.link import Link
from dirtyd.worker.turn import MAIN, WATCHER, Turn


@pytest.fixture
def link():
    ours, theirs = socket.socketpair()
    os.set_inheritable(theirs.fileno(), False)
    with ours:
        yield Link(theirs)


def test_the_watcher_never_takes_the_turn_back_from_a_late_main_thread(link, monkeypatch):
    """The main thread wants the turn but is not scheduled for many ticks: the turn must be waiting for it."""
    ended = threading.Event()
    turn = Turn(link, lambda frame: None, lambda error: ended.set())
    taken = threading.Event()
    held = threading.Event()

    class Late(threading.Condition):
        """Holds the waiter back after it was notified, as a busy machine would."""

        def wait_for(self, predicate, timeout=None):
            while not predicate():
                self.wait(2)
                assert turn._reader != WATCHER or not held.is_set(), "the watcher took the turn back"
                held.set()
                if predicate():
                    # Ten ticks in which the watcher may do what it likes.
                    self.wait(10 * turns.TICK)
            return True

    turn._changed = Late(turn._changed._lock)

    def job():
        limit = threading.Event()
        while turn._reader != WATCHER:
            limit.wait(turns.TICK)
        taken.set()

    runner = threading.Thread(target=lambda: turn.run(job), daemon=True)
    runner.start()
    assert taken.wait(10), "the watcher takes over from a long job"
    runner.join(10)
    assert not runner.is_alive(), "the main thread got its turn back"
    assert turn._reader == MAIN
