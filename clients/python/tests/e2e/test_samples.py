"""Each sample does what it says, against a daemon that serves its app."""

import http.client
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon import PATIENCE, daemon

SAMPLES = Path(__file__).parents[2] / "samples"


@contextmanager
def served(app: str) -> Iterator[str]:
    with (
        tempfile.TemporaryDirectory() as directory,
        daemon(Path(directory), (app, "no_such_action"), "--app", app, cwd=SAMPLES) as socket_of_daemon,
    ):
        yield socket_of_daemon


@pytest.mark.parametrize(
    ("app", "output"),
    [
        ("basic:Counter", "total 3\ntotal 7\nrefused: INVALID_ARGUMENT -1\n"),
        ("stream:Writer", "to\nbe\nor\nnot\nto\nbe\nthat\nis\nthe\nquestion\n"),
        (
            "cancel:Endless",
            "first three: 0 1 2\ngenerators closed: 1\ngave up: DEADLINE_EXCEEDED\ngenerators closed: 1\n",
        ),
    ],
)
def test_sample(app: str, output: str) -> None:
    with served(app) as socket_of_daemon:
        done = subprocess.run(
            [sys.executable, f"{app.partition(':')[0]}.py"],
            cwd=SAMPLES, env={**os.environ, "DIRTYD_SOCKET": socket_of_daemon},
            capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, output), done.stderr


@contextmanager
def web_server(socket_of_daemon: str) -> Iterator[str]:
    """Run samples/web.py under uvicorn and yield its address. The server gets a socket that already listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "web:web", "--fd", str(listener.fileno()), "--log-level", "warning"],
            cwd=SAMPLES, env={**os.environ, "DIRTYD_SOCKET": socket_of_daemon}, pass_fds=[listener.fileno()],
        )  # fmt: skip
        try:
            yield "{}:{}".format(*listener.getsockname())
        finally:
            server.terminate()
            try:
                server.wait(PATIENCE)
            finally:
                server.kill()


def test_the_web_app_stops_the_generator_when_the_browser_leaves(capfd: pytest.CaptureFixture[str]) -> None:
    with served("web:Model") as socket_of_daemon, web_server(socket_of_daemon) as address:
        browser = http.client.HTTPConnection(address, timeout=PATIENCE)
        browser.request("GET", "/")
        assert b'new EventSource("tokens' in browser.getresponse().read()
        browser.request("GET", "/tokens?prompt=hi")
        events = browser.getresponse()
        assert events.headers["Content-Type"].startswith("text/event-stream")
        assert [events.readline() for _ in range(6)] == [
            b"data: hi-0\n",
            b"\n",
            b"data: hi-1\n",
            b"\n",
            b"data: hi-2\n",
            b"\n",
        ]
        events.close()
        browser.close()
        # By itself the generator would end with token 999, after 50 seconds. A web server that gathers its answer in a
        # buffer of 4 KiB or more would have shown nothing before token 300.
        log, limit = "", time.monotonic() + PATIENCE
        while not (ended := re.search(r"the generator ended with token (\d+)\s", log)):
            assert time.monotonic() < limit
            time.sleep(0.01)
            log += "".join(capfd.readouterr())
        assert 2 <= int(ended[1]) < 200
