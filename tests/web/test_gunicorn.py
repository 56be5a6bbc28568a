"""gunicorn's processes come and go: HUP under load, workers that are killed, calls of the master before it forks."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from stacks import FLASK, gunicorn
from waiting import content_of, until
from web_server import WebServer, serving

from conftest import Daemon

pytestmark = pytest.mark.usefixtures("no_connection_left")

Folder = Callable[[], Path]

WORKERS = 2
OPTIONS = {
    "sync": [],
    "gthread": ["--threads", "4"],
    "gevent": [],
    "gevent-preload": ["--preload"],
    "gthread-preload": ["--threads", "4", "--preload"],
}


def _command(kind: str) -> list[str]:
    return gunicorn(kind.partition("-")[0], FLASK, "--workers", str(WORKERS), *OPTIONS[kind])


class Load:
    """Callers, each with one request after the other, until the end of the `with`."""

    def __init__(self, server: WebServer, callers: int) -> None:
        self._server = server
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(number,)) for number in range(callers)]
        self.served = 0
        self.failed: list[str] = []

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _call(self, number: int) -> None:
        request = 0
        while not self._over.is_set():
            text = f"{number}-{request}"
            request += 1
            try:
                assert self._server.echo("sync", text) == text
            except Exception as error:
                self.failed.append(f"{text}: {error!r}")
            self.served += 1


@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_hup_under_load_fails_no_call(dirtyd: Daemon, short_path: Path, kind: str) -> None:
    with serving(short_path, _command(kind), dirtyd.socket) as server, Load(server, 4) as load:
        for _ in range(2):
            old, served = server.workers(), load.served
            until(lambda served=served: load.served > served + 20, "the load runs")
            os.kill(server.process.pid, signal.SIGHUP)
            until(lambda old=old: len(server.workers() - old) == WORKERS, "new workers are there")
            until(lambda old=old: not server.workers() & old, "the old workers have ended")
    assert not load.failed


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_worker_that_is_killed_disturbs_no_call_of_another(
    dirtyd: Daemon, short_path: Path, folder: Folder, kind: str
) -> None:
    call, stream = folder(), folder()
    with serving(short_path, _command(kind), dirtyd.socket, {"CALL_AT_IMPORT": "1"}) as server:
        until(lambda: len(server.workers()) == WORKERS, "all workers are there")
        with server.request("/sync/hold", folder=call) as held:
            busy = int(content_of(call / "started"))
            for other in server.workers() - {busy}:
                os.kill(other, signal.SIGKILL)
                until(lambda: len(server.workers()) == WORKERS, "a worker has replaced the killed one")
                until(lambda: server.worker() != busy or kind != "sync", "the replacement serves")
                assert server.echo("sync", "beside") == "beside"
            (call / "release").touch()
            assert held.body() == "released"
        with server.request("/sync/stream/endless", argument=stream) as left:
            assert left.line() == "0\n"
        content_of(stream / "closed")


@pytest.mark.parametrize("kind", ["gthread-preload", "gevent-preload"])
def test_a_killed_worker_leaves_its_call(dirtyd: Daemon, short_path: Path, folder: Folder, kind: str) -> None:
    """The end of the process is the end of its connection, although its master and its sibling live."""
    files = folder()
    with serving(short_path, _command(kind), dirtyd.socket, {"CALL_AT_IMPORT": "1"}) as server:
        with server.request("/sync/hold", folder=files):
            os.kill(int(content_of(files / "started")), signal.SIGKILL)
            content_of(files / "left")
        assert server.echo("sync", "after") == "after"
