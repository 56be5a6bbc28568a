"""One daemon for the whole suite, whose connections every test can count."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import APPS
from running_daemon import Daemon
from waiting import until
from work import WORK

from daemon import daemon


@pytest.fixture(scope="session")
def dirtyd() -> Iterator[Daemon]:
    with tempfile.TemporaryDirectory() as name:  # The path of a socket must be short.
        arguments = ("--app", WORK, "--workers", "2", "--threads", "16")
        with daemon(Path(name), (WORK, "no_such_action"), *arguments, cwd=APPS) as socket:
            yield Daemon(socket)


@pytest.fixture
def no_connection_left(dirtyd: Daemon) -> Iterator[None]:
    """Fail a test that leaves connections behind, once its processes have ended."""
    before = dirtyd.connections()
    yield
    until(lambda: dirtyd.connections() <= before, "the connections of the processes of this test have ended")


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory for a socket, the path of which must be short."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[], Path]:
    """Return a function that makes a new folder, in which an action and its test leave files for each other."""
    made: list[Path] = []

    def make() -> Path:
        made.append(tmp_path / f"call-{len(made)}")
        made[-1].mkdir()
        return made[-1]

    return make
