"""How calls end early, and that each ends exactly once."""

import pytest

from dirtyd._proto.dirty.worker.v1 import worker_pb2 as pb

APP = """
import asyncio, contextlib, os, threading, time
import dirtyd
from pathlib import Path

class App(dirtyd.DirtyApp):
    def alive(self): return True

    # Each says "started" through a file or a chunk, then goes on for longer than any test waits.
    def started(self): Path("started").write_text("x")

    def sleeps(self):
        self.started()
        time.sleep(100)
    def spins(self):
        self.started()
        while True: pass
    def swallows_once(self):
        with contextlib.suppress(dirtyd.CallTimeout):
            self.started()
            self.wait_long()
        return "survived"
    def wait_long(self):
        end = time.monotonic() + 100
        while time.monotonic() < end: time.sleep(0.001)
    def watches(self):
        self.started()
        return dirtyd.current_call().wait(100)
    def polls(self):
        self.started()
        call = dirtyd.current_call()
        while not call.cancelled: time.sleep(0.001)
        return "noticed"
    async def awaits(self):
        self.started()
        try: await asyncio.sleep(100)
        finally: Path("cleaned").write_text("x")
    def generates(self):
        try:
            i = 0
            while True:
                yield i
                i += 1
                time.sleep(0.001)
        finally: Path("cleaned").write_text("x")
    async def agenerates(self):
        try:
            i = 0
            while True:
                yield i
                i += 1
        finally: Path("cleaned").write_text("x")
    def generator_sleeps(self):
        yield 0
        time.sleep(100)
    def stuck_cleanup(self):
        try: yield 0
        finally: self.wait_long()
    async def stubborn(self):
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                self.started()
                await asyncio.sleep(100)
                continue
            return "stubborn"
    def queued(self): Path("ran").write_text("x")
"""

GONE, DEADLINE, TIMEOUT = pb.CANCEL_REASON_CALLER_GONE, pb.CANCEL_REASON_DEADLINE, pb.CANCEL_REASON_TIMEOUT


@pytest.fixture(params=[1, 3], ids=["main thread", "3 threads"])
def arbiter(worker, request):
    return worker(APP, threads=request.param)


@pytest.fixture
def begin(arbiter, started):
    """Start an action and return its call id once it runs."""

    def begin(action: str) -> int:
        call_id = arbiter.start(action)
        started.read()
        return call_id

    return begin


@pytest.mark.parametrize("action", ["sleeps", "spins"])
def test_timeout_interrupts_sync_code(worker, action, started) -> None:
    arbiter = worker(APP)
    call_id = arbiter.start(action)
    started.read()
    arbiter.cancel(call_id, TIMEOUT)
    error = arbiter.expect("error")
    assert (error.call_id, error.kind) == (call_id, pb.ERROR_KIND_CANCELLED)
    assert error.failure.exception_type == "dirtyd.CallTimeout"
    assert f"in {action}" in error.failure.traceback
    assert arbiter.call("alive") is True


def test_timeout_interrupts_python_code_on_any_thread(arbiter, begin) -> None:
    arbiter.cancel(begin("spins"), TIMEOUT)
    assert arbiter.expect("error").kind == pb.ERROR_KIND_CANCELLED
    assert arbiter.call("alive") is True


def test_an_action_may_answer_after_its_timeout(arbiter, begin) -> None:
    arbiter.cancel(begin("swallows_once"), TIMEOUT)
    assert arbiter.value() == "survived"
    assert arbiter.call("alive") is True


@pytest.mark.parametrize("reason", [GONE, DEADLINE])
def test_cooperative_cancel_sets_the_flag_and_interrupts_nothing(arbiter, begin, reason) -> None:
    arbiter.cancel(begin("polls"), reason)
    assert arbiter.value() == "noticed"


def test_waiting_for_the_cancel(arbiter, begin) -> None:
    arbiter.cancel(begin("watches"))
    assert arbiter.value() is True


@pytest.mark.parametrize("reason", [GONE, TIMEOUT])
def test_coroutines_are_cancelled(arbiter, begin, tmp_path, reason) -> None:
    arbiter.cancel(begin("awaits"), reason)
    assert arbiter.expect("error").kind == pb.ERROR_KIND_CANCELLED
    assert (tmp_path / "cleaned").exists()


def test_a_coroutine_that_ignores_its_cancellation_still_answers(arbiter, begin) -> None:
    arbiter.cancel(begin("stubborn"))
    assert arbiter.value() == "stubborn"


@pytest.mark.parametrize("reason", [GONE, TIMEOUT])
@pytest.mark.parametrize("action", ["generates", "agenerates"])
def test_running_streams_are_closed(arbiter, tmp_path, action, reason) -> None:
    call_id = arbiter.start(action, stream=True, chunks=1 << 30)
    assert [arbiter.value("chunk") for _ in range(3)] == [0, 1, 2]
    arbiter.cancel(call_id, reason)
    while (frame := arbiter.receive()).WhichOneof("kind") == "chunk":
        pass
    assert frame.error.kind == pb.ERROR_KIND_CANCELLED
    assert (tmp_path / "cleaned").exists()
    assert arbiter.call("alive") is True


@pytest.mark.parametrize("reason", [GONE, TIMEOUT])
@pytest.mark.parametrize("action", ["generates", "agenerates"])
def test_streams_that_wait_for_credit_are_closed_at_once(arbiter, tmp_path, action, reason) -> None:
    call_id = arbiter.start(action, stream=True, chunks=2)
    assert [arbiter.value("chunk") for _ in range(2)] == [0, 1]
    arbiter.ping()
    arbiter.cancel(call_id, reason)
    assert arbiter.expect("error").kind == pb.ERROR_KIND_CANCELLED
    assert (tmp_path / "cleaned").exists()


def test_timeout_inside_a_generator(worker) -> None:
    arbiter = worker(APP)
    call_id = arbiter.start("generator_sleeps", stream=True)
    arbiter.value("chunk")
    arbiter.cancel(call_id, TIMEOUT)
    assert arbiter.expect("error").kind == pb.ERROR_KIND_CANCELLED


def test_a_timeout_after_a_cancel_interrupts_the_cleanup(arbiter) -> None:
    call_id = arbiter.start("stuck_cleanup", stream=True, chunks=1)
    arbiter.value("chunk")
    arbiter.cancel(call_id, GONE)
    arbiter.ping()
    arbiter.cancel(call_id, TIMEOUT)
    assert arbiter.expect("error").call_id == call_id
    assert arbiter.call("alive") is True


def test_a_call_cancelled_before_it_began_never_runs(worker, started, tmp_path) -> None:
    arbiter = worker(APP)
    first = arbiter.start("polls")
    started.read()
    second = arbiter.start("queued")
    arbiter.cancel(second)
    arbiter.ping()
    arbiter.cancel(first)
    assert arbiter.value() == "noticed"
    error = arbiter.expect("error")
    assert (error.call_id, error.kind) == (second, pb.ERROR_KIND_CANCELLED)
    assert not (tmp_path / "ran").exists()


def test_frames_for_ended_calls_are_ignored(arbiter) -> None:
    for reason in (GONE, TIMEOUT):
        arbiter.cancel(12345, reason)
    call_id = arbiter.start("alive")
    arbiter.value()
    arbiter.cancel(call_id, TIMEOUT)
    arbiter.send(credit=pb.Credit(call_id=call_id, chunks=1, bytes=1))
    assert arbiter.call("alive") is True


@pytest.mark.parametrize("threads", [1, 3])
def test_a_timeout_never_hits_another_call(worker, threads) -> None:
    """Cancels race with the end of their calls: each call ends once, and the worker lives on."""
    arbiter = worker(APP, threads=threads)
    for _ in range(300):
        call_id = arbiter.start("alive")
        arbiter.cancel(call_id, TIMEOUT)
        frame = arbiter.receive()
        kind = frame.WhichOneof("kind")
        assert kind in ("response", "error")
        assert getattr(frame, kind).call_id == call_id
        if kind == "error":
            assert frame.error.kind == pb.ERROR_KIND_CANCELLED
        assert arbiter.call("alive") is True
