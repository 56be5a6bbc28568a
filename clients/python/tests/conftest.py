import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fake_arbiter import FakeArbiter, Fifo, write_app
from server_process import Server


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[..., FakeArbiter]]:
    """Start a worker whose app `apps:App` has the given source, and boot it."""
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
    """The FIFO `started`, to which the actions of a test write when they run."""
    fifo = Fifo(tmp_path / "started")
    yield fifo
    os.close(fifo.fd)


@pytest.fixture
def finish(tmp_path: Path) -> Iterator[Fifo]:
    """The FIFO `finish`, from which an action reads a line when it waits to be let go."""
    fifo = Fifo(tmp_path / "finish")
    yield fifo
    os.close(fifo.fd)


@pytest.fixture
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as directory:  # Short: the path of a socket has few bytes.
        server = Server(Path(directory))
        yield server
        server.stop()
