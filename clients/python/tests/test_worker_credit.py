"""Streams send within their credit, and go on when they get more."""

import pytest

APP = """
import dirtyd
class App(dirtyd.DirtyApp):
    produced = 0
    def numbers(self, n):
        for i in range(n):
            App.produced += 1
            yield i
    async def anumbers(self, n):
        for i in range(n):
            App.produced += 1
            yield i
    def blobs(self, n, size):
        for _ in range(n): yield b"x" * size
    async def seen(self): return App.produced
"""


@pytest.fixture(params=[1, 3], ids=["main thread", "3 threads"])
def arbiter(worker, request):
    return worker(APP, threads=request.param)


@pytest.mark.parametrize("action", ["numbers", "anumbers"])
def test_chunks_are_counted(arbiter, action) -> None:
    call_id = arbiter.start(action, 7, stream=True, chunks=2)
    assert [arbiter.value("chunk") for _ in range(2)] == [0, 1]
    for expected in ([2], [3, 4, 5]):
        # A chunk that was sent without credit would come before the Pong.
        arbiter.ping()
        arbiter.send(credit={"call_id": call_id, "chunks": len(expected)})
        assert [arbiter.value("chunk") for _ in expected] == expected
    arbiter.send(credit={"call_id": call_id, "chunks": 100})
    assert arbiter.value("chunk") == 6
    assert arbiter.expect("end").call_id == call_id


def test_bytes_are_counted_and_may_fall_below_zero(arbiter) -> None:
    call_id = arbiter.start("blobs", 3, 1000, stream=True, chunks=100, size=1500)
    for _ in range(2):
        assert len(arbiter.value("chunk")) == 1000
    arbiter.ping()
    arbiter.send(credit={"call_id": call_id, "bytes": 400})  # Still below zero.
    arbiter.ping()
    arbiter.send(credit={"call_id": call_id, "bytes": 400})
    assert len(arbiter.value("chunk")) == 1000
    arbiter.expect("end")


def test_no_credit_to_begin_with(arbiter) -> None:
    call_id = arbiter.start("numbers", 1, stream=True, chunks=0, size=0)
    arbiter.ping()
    arbiter.send(credit={"call_id": call_id, "chunks": 1, "bytes": 1})
    assert arbiter.value("chunk") == 0
    arbiter.expect("end")


def test_the_generator_runs_no_further_than_its_credit(worker) -> None:
    arbiter = worker(APP, threads=2)
    arbiter.start("numbers", 1000, stream=True, chunks=3)
    assert [arbiter.value("chunk") for _ in range(3)] == [0, 1, 2]
    arbiter.ping()
    assert arbiter.call("seen") <= 4


def test_a_long_stream_with_a_window(arbiter) -> None:
    call_id = arbiter.start("numbers", 5000, stream=True, chunks=16)
    for i in range(5000):
        assert arbiter.value("chunk") == i
        arbiter.send(credit={"call_id": call_id, "chunks": 1})
    assert arbiter.expect("end").call_id == call_id
