"""gunicorn's processes come and go: HUP under load, workers that are killed, calls of the master before it forks."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from running_daemon import Daemon
from stacks import FLASK, gunicorn
from waiting import content_of, until
from web_server import WebServer, serving

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


@contextmanager
def _serving(directory: Path, kind: str, dirtyd: Daemon) -> Iterator[WebServer]:
    """Run gunicorn with workers that have booted. A worker of gevent that gets TERM while it boots misses it."""
    command = gunicorn(kind.partition("-")[0], FLASK, "--workers", str(WORKERS), *OPTIONS[kind])
    environment = {"CALL_AT_IMPORT": "1", "BOOTED": str(directory)}
    with serving(directory, [*command, "--config", "gunicorn_settings.py"], dirtyd.socket, environment) as server:
        _until_booted(server)
        yield server
        _until_booted(server)


def _until_booted(server: WebServer, but: frozenset[int] = frozenset()) -> set[int]:
    """Wait until there are all workers, and none of those of `but`. Return them."""

    def booted() -> bool:
        workers = server.workers()
        return len(workers) == WORKERS and not workers & but and all(_is_booted(server, pid) for pid in workers)

    until(booted, f"{WORKERS} workers have booted")
    return server.workers()


def _is_booted(server: WebServer, worker: int) -> bool:
    """gunicorn_settings.py writes this file."""
    return Path(server.path).with_name(str(worker)).exists()


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
    with _serving(short_path, kind, dirtyd) as server, Load(server, 4) as load:
        for _ in range(2):
            old, served = _until_booted(server), load.served
            until(lambda served=served: load.served > served + 20, "the load runs")
            os.kill(server.process.pid, signal.SIGHUP)
            _until_booted(server, but=frozenset(old))
    assert not load.failed


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_worker_that_is_killed_disturbs_no_call_of_another(
    dirtyd: Daemon, short_path: Path, folder: Folder, kind: str
) -> None:
    call, stream = folder(), folder()
    with _serving(short_path, kind, dirtyd) as server:
        with server.request("/sync/hold", folder=call) as held:
            busy = int(content_of(call / "started"))
            (other,) = server.workers() - {busy}
            os.kill(other, signal.SIGKILL)
            _until_booted(server, but=frozenset({other}))
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
    with _serving(short_path, kind, dirtyd) as server:
        with server.request("/sync/hold", folder=files):
            killed = int(content_of(files / "started"))
            os.kill(killed, signal.SIGKILL)
            content_of(files / "left")
        _until_booted(server, but=frozenset({killed}))
        assert server.echo("sync", "after") == "after"
