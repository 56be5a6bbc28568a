"""A real daemon for tests; DIRTYD_BIN names it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dirtyd import DirtyClient, errors

PATIENCE = 60.0


@contextmanager
def daemon(directory: Path, ready: tuple[str, str], *arguments: str, cwd: Path | None = None) -> Iterator[str]:
    """Run `dirtyd serve` with its files in `directory`, wait until the action `ready` answers, and yield the socket."""
    with process(directory, ready, *arguments, cwd=cwd) as (socket, _):
        yield socket


@contextmanager
def process(
    directory: Path, ready: tuple[str, str], *arguments: str, cwd: Path | None = None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Do the same, and yield the socket and the process."""
    binary = os.environ.get("DIRTYD_BIN")
    if not binary:
        pytest.fail("set DIRTYD_BIN to the daemon, such as ../../target/debug/dirtyd")
    socket = f"{directory}/d.sock"
    # The daemon finds `python` where the tests run, with this package.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    server = subprocess.Popen(
        [os.path.abspath(binary), "serve", "--socket", socket, *arguments],
        cwd=cwd or directory,
        env={**os.environ, "PATH": path, "XDG_RUNTIME_DIR": str(directory)},
    )
    try:
        _wait_until_it_answers(socket, server, ready)
        yield socket, server
        server.terminate()
        assert server.wait(PATIENCE) == 0
    finally:
        server.kill()
        server.wait()


def _wait_until_it_answers(socket: str, process: subprocess.Popen[bytes], ready: tuple[str, str]) -> None:
    """Retry only the connection: a call waits in the app's queue until the worker has booted."""
    limit = time.monotonic() + PATIENCE
    with DirtyClient(socket, timeout=PATIENCE) as client:
        while True:
            assert process.poll() is None, "the daemon ended"
            try:
                client.execute(*ready)
                return
            except errors.DirtyActionNotFoundError:
                return
            except errors.DirtyConnectionError:
                assert time.monotonic() < limit
                time.sleep(0.02)
