"""One daemon for the whole suite, whose connections every test can count."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from processes import APPS
from waiting import until
from work import WORK

from daemon import daemon


@dataclass(frozen=True)
class Daemon:
    """A running dirtyd that serves apps/work.py."""

    socket: str

    def connections(self) -> int:
        """Return how many connections are open, beside the one of this question."""
        return self.status()["connections"] - 1

    def status(self) -> dict[str, Any]:
        """Return what `dirtyd status` says of the arbiter."""
        asked = subprocess.run(
            [os.environ["DIRTYD_BIN"], "status", "--json", "--socket", self.socket], check=True, stdout=subprocess.PIPE
        )
        return json.loads(asked.stdout)["arbiter"]


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
