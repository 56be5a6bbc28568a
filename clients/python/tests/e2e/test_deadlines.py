"""The caller's own deadline: the daemon tells the reason, or it is stopped and tells nothing."""

import asyncio
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from daemon import PATIENCE, process
from dirtyd import DirtyClient, errors

CALLS = 20
HURRY = 1.0

APPS = """
import asyncio

class App:
    def __call__(self, action, *args): return getattr(self, action)(*args)
    async def echo(self, x): return x
    async def naps(self): await asyncio.sleep(600)
    async def drips(self):
        yield 0
        await asyncio.sleep(600)
    def holds(self, path):
        with open(path) as fifo: return fifo.read()

class Narrow(App):
    pass
"""

# App runs all calls of a test at once, Narrow one.
CONFIG = f"""
threads = {CALLS}
app = [{{ path = "apps:App" }}]
[[pool]]
name = "narrow"
threads = 1
app = [{{ path = "apps:Narrow" }}]
"""


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The socket of a daemon with APPS, and its one process, so that a signal stops all of it."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "apps.py").write_text(APPS)
        (directory / "dirtyd.toml").write_text(CONFIG)
        with process(directory, ("apps:App", "gone"), "--single", "--config", "dirtyd.toml") as running:
            yield running


@pytest.fixture
def client(served: tuple[str, subprocess.Popen[bytes]]) -> Iterator[DirtyClient]:
    with DirtyClient(served[0], timeout=HURRY) as client:
        yield client


def unary(client: DirtyClient, app: str, action: str) -> list[errors.DirtyTimeoutError]:
    def call(_: int) -> Any:
        return client.execute(app, action)

    return in_threads(call)


def stream(client: DirtyClient, app: str, action: str) -> list[errors.DirtyTimeoutError]:
    def call(_: int) -> Any:
        return list(client.stream(app, action))

    return in_threads(call)


def in_threads(call: Callable[[int], Any]) -> list[errors.DirtyTimeoutError]:
    with ThreadPoolExecutor(CALLS) as threads:
        return [expected(future.exception()) for future in [threads.submit(call, n) for n in range(CALLS)]]


def unary_async(client: DirtyClient, app: str, action: str) -> list[errors.DirtyTimeoutError]:
    async def call() -> Any:
        return await client.execute_async(app, action)

    return in_tasks(client, call)


def stream_async(client: DirtyClient, app: str, action: str) -> list[errors.DirtyTimeoutError]:
    async def call() -> Any:
        return [chunk async for chunk in client.stream_async(app, action)]

    return in_tasks(client, call)


def in_tasks(client: DirtyClient, call: Callable[[], Any]) -> list[errors.DirtyTimeoutError]:
    async def run() -> list[errors.DirtyTimeoutError]:
        async with client:
            outcomes = await asyncio.gather(*(call() for _ in range(CALLS)), return_exceptions=True)
        return [expected(outcome) for outcome in outcomes]

    return asyncio.run(run())


def expected(outcome: Any) -> errors.DirtyTimeoutError:
    assert isinstance(outcome, errors.DirtyTimeoutError), outcome
    return outcome


KINDS = pytest.mark.parametrize("calls", [unary, stream, unary_async, stream_async])


@KINDS
def test_the_reason_survives_the_callers_own_deadline(client: DirtyClient, tmp_path: Path, calls: Any) -> None:
    running = calls(client, "apps:App", "naps" if calls in (unary, unary_async) else "drips")
    assert {(error.code, error.reason) for error in running} == {("DEADLINE_EXCEEDED", "EXECUTION_TIMEOUT")}
    assert all(error.worker_pid for error in running)

    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    patient = client.options(timeout=PATIENCE)
    holding = threading.Thread(target=patient.execute, args=("apps:Narrow", "holds", str(fifo)))
    holding.start()
    with fifo.open("w"):  # Opening waits for the action.
        queued = calls(client, "apps:Narrow", "naps")
    holding.join()
    assert {(error.code, error.reason) for error in queued} == {("DEADLINE_EXCEEDED", "QUEUE_TIMEOUT")}


@KINDS
@pytest.mark.parametrize("connected", [True, False])
def test_a_daemon_that_does_not_answer_holds_no_caller(
    served: tuple[str, subprocess.Popen[bytes]], client: DirtyClient, calls: Any, connected: bool
) -> None:
    if connected:
        assert client.execute("apps:App", "echo", 1) == 1
    served[1].send_signal(signal.SIGSTOP)
    try:
        unanswered = calls(client, "apps:App", "naps")
    finally:
        served[1].send_signal(signal.SIGCONT)
    assert {(error.code, error.reason) for error in unanswered} == {("DEADLINE_EXCEEDED", "NO_ANSWER")}
    assert all("did not answer" in error.message for error in unanswered)


def test_a_stream_that_has_begun_ends_without_an_answer(
    served: tuple[str, subprocess.Popen[bytes]], client: DirtyClient
) -> None:
    async def read() -> list[int]:
        async with client:
            chunks = client.stream_async("apps:App", "drips")
            assert await anext(chunks) == 0
            served[1].send_signal(signal.SIGSTOP)
            return [chunk async for chunk in chunks]

    with client.stream("apps:App", "drips") as chunks:
        assert next(chunks) == 0
        try:
            with pytest.raises(errors.DirtyTimeoutError) as told:
                asyncio.run(read())
            with pytest.raises(errors.DirtyTimeoutError) as ended:
                next(chunks)
        finally:
            served[1].send_signal(signal.SIGCONT)
    assert told.value.reason == ended.value.reason == "NO_ANSWER"


def test_a_task_that_is_cancelled_is_cancelled(served: tuple[str, subprocess.Popen[bytes]]) -> None:
    async def run() -> None:
        async with DirtyClient(served[0], timeout=PATIENCE) as client:
            chunks = client.stream_async("apps:App", "drips")
            assert await anext(chunks) == 0
            for call in (client.execute_async("apps:App", "naps"), anext(chunks)):
                task = asyncio.ensure_future(call)
                await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    asyncio.run(run())
