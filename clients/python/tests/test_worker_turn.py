"""Which thread reads: the hand-over between the watcher and the main thread."""

import os
import socket
import threading

import pytest

from dirtyd._proto.dirty.worker.v1 import worker_pb2 as pb
from dirtyd.worker.credit import Credit
from dirtyd.worker.link import Link
from dirtyd.worker.turn import MAIN, TICK, WATCHER, Turn

LIMIT = 10


class Arbiter:
    """The other end of the socket. It notes each frame that the worker's end dispatches, and on which thread."""

    def __init__(self, sock, link):
        self.sock = sock
        self.seen, self.came = [], threading.Semaphore(0)
        #: While it is cleared, the thread that dispatches waits.
        self.door = threading.Event()
        self.door.set()
        #: What a frame does once the door is open.
        self.act = lambda: None
        self.turn = Turn(link, self.dispatch, lambda error: None)

    def dispatch(self, frame):
        self.seen.append((frame.ping.nonce, threading.current_thread().name))
        self.came.release()
        assert self.door.wait(LIMIT)
        self.act()

    def ping(self, nonce):
        data = pb.ArbiterFrame(ping=pb.Ping(nonce=nonce)).SerializeToString()
        self.sock.sendall(len(data).to_bytes(4, "big") + data)

    def has_come(self):
        assert self.came.acquire(timeout=LIMIT), "it was dispatched"

    def long_job(self, then=lambda: None):
        """Return a job that ends after the watcher has taken over and `then` has run."""

        def job():
            pause = threading.Event()
            while self.turn._reader != WATCHER:
                pause.wait(TICK)
            then()

        return job


@pytest.fixture
def arbiter():
    ours, theirs = socket.socketpair()
    os.set_inheritable(theirs.fileno(), False)
    with ours:
        yield Arbiter(ours, Link(theirs))


def test_the_watcher_reads_during_a_long_job_and_the_main_thread_after_it(arbiter):
    def during():
        arbiter.ping(1)
        arbiter.has_come()

    for round in range(20):
        arbiter.turn.run(arbiter.long_job(during))
        assert arbiter.turn._reader == MAIN
        arbiter.ping(2)
        arbiter.turn._read()
        arbiter.has_come()
        main = threading.current_thread().name
        assert arbiter.seen[2 * round :] == [(1, "dirtyd-watcher"), (2, main)]


def test_the_main_thread_waits_for_a_read_that_has_begun(arbiter):
    def during():
        arbiter.door.clear()
        arbiter.ping(1)
        arbiter.has_come()

    ended = threading.Event()
    runner = threading.Thread(target=lambda: (arbiter.turn.run(arbiter.long_job(during)), ended.set()), daemon=True)
    runner.start()
    while not arbiter.turn._reading:
        ended.wait(TICK)
    assert not ended.wait(10 * TICK), "two would read at once"
    arbiter.door.set()
    assert ended.wait(LIMIT)
    assert arbiter.turn._reader == MAIN


def test_a_wake_that_comes_late_does_not_end_the_watch(arbiter):
    def during():
        arbiter.turn._link.watcher.wake()
        for nonce in (1, 2):
            arbiter.ping(nonce)
            arbiter.has_come()

    arbiter.turn.run(arbiter.long_job(during))
    assert [nonce for nonce, _ in arbiter.seen] == [1, 2]


def test_credit_that_the_watcher_reads_while_the_main_thread_takes_its_turn_back_ends_the_wait(arbiter):
    class Awaited(Credit):
        """Lets the watcher go on as soon as the main thread has seen that there is no credit."""

        def ready(self):
            ready = super().ready()
            arbiter.door.set()
            return ready

    credit = Awaited(0, 0)

    def during():
        arbiter.act = lambda: credit.add(1, 1)
        arbiter.door.clear()
        arbiter.ping(1)
        arbiter.has_come()
        arbiter.turn.wait(credit)

    ended = threading.Event()
    job = arbiter.long_job(during)
    threading.Thread(target=lambda: (arbiter.turn.run(job), ended.set()), daemon=True).start()
    assert ended.wait(LIMIT), "it waits for a frame that nobody is going to send"
