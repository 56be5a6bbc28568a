"""Waits for a socket, with open eyes and without."""

import socket
import threading

import pytest

from dirtyd.worker import waiter as waiters
from dirtyd.worker.waiter import Waiter


@pytest.fixture
def sockets():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def soon(action):
    timer = threading.Timer(0.02, action)
    timer.start()
    return timer


@pytest.mark.parametrize("window", [0, 5], ids=["asleep", "with open eyes"])
def test_bytes_and_wakes_end_a_wait(sockets, window):
    ours, theirs = sockets
    waiter = Waiter(ours)
    waiter.look_for(window)
    for _ in range(3):
        timer = soon(lambda: theirs.send(b"x"))
        assert waiter.wait(), "there is something to read"
        assert ours.recv(1) == b"x"
        timer.join()
        timer = soon(waiter.wake)
        assert not waiter.wait(), "woken"
        timer.join()
    theirs.close()
    assert waiter.wait(), "the end of the file is something to read"


def test_it_looks_after_a_short_wait_and_sleeps_after_a_long_one(sockets, monkeypatch):
    ours, theirs = sockets
    waiter = Waiter(ours)
    looks = []
    monkeypatch.setattr(waiter, "_look", lambda began: looks.append(began) or [])
    waiter.look_for(5)
    theirs.send(b"x")
    for looked in (0, 1, 2):
        waiter.wait()
        assert len(looks) == looked, "the first wait has none before it"
    waiter.look_for(0)
    waiter.wait()
    waiter.wait()
    assert len(looks) == 3, "a wait is longer than no time at all"


def test_a_look_ends_with_its_window(sockets):
    ours, _ = sockets
    waiter = Waiter(ours)
    waiter.look_for(0.001)
    assert waiter._look(0.0) == [], "long over"


def test_beside_processes_that_compute_nobody_looks(sockets, monkeypatch):
    ours, theirs = sockets
    now = 0.0
    monkeypatch.setattr(waiters, "perf_counter", lambda: now)
    waiter = Waiter(ours)
    waiter.look_for(1e-4)
    theirs.send(b"x")

    def looks(at):
        nonlocal now
        now = at
        waiter.wait()
        return waiter._looks

    assert looks(0.0)
    waiter._give_way(0.0)
    assert not looks(waiters.PAUSE / 2)
    assert looks(waiters.PAUSE)
    waiter._give_way(waiters.PAUSE)
    assert not looks(2 * waiters.PAUSE), "it happened again: twice as long"
    assert looks(3 * waiters.PAUSE)
