import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fake_arbiter import FakeArbiter, Fifo, write_app
from server_process import Server


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[..., FakeArbiter]]:
    """Return a function that starts a worker whose app `apps:App` has the given source, and boots it."""
    started: list[FakeArbiter] = []

    def start(source: str, *apps: str, boot: bool = True, env: dict[str, str] | None = None, **settings: object):
        write_app(tmp_path, source)
        started.append(FakeArbiter(tmp_path, env))
        return started[-1].boot(*(apps or ("apps:App",)), **settings) if boot else started[-1]

    yield start
    for arbiter in started:
        arbiter.close()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Fifo]:
    """The FIFO `started`. The actions of a test write to it when they run."""
    fifo = Fifo(tmp_path / "started")
    yield fifo
    os.close(fifo.fd)


@pytest.fixture
def finish(tmp_path: Path) -> Iterator[Fifo]:
    """The FIFO `finish`. An action that waits until it may end reads a line from it."""
    fifo = Fifo(tmp_path / "finish")
    yield fifo
    os.close(fifo.fd)


@pytest.fixture
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as directory:  # The path of a socket must be short.
        server = Server(Path(directory))
        yield server
        server.stop()
