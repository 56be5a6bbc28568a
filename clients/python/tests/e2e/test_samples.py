"""Each sample does what it says, against a daemon that serves its app."""

import asyncio
import importlib.util
import os
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
        daemon(Path(directory), (app, "no_such_action"), "--app", app, cwd=SAMPLES) as socket,
    ):
        yield socket


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
    with served(app) as socket:
        done = subprocess.run(
            [sys.executable, f"{app.partition(':')[0]}.py"],
            cwd=SAMPLES, env={**os.environ, "DIRTYD_SOCKET": socket}, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, output), done.stderr


def test_the_web_app_stops_the_generator_when_the_browser_leaves(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("web", SAMPLES / "web.py")
    web = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(web)

    async def visit() -> bytes:
        """A browser that leaves after three events, as ASGI shows it to the app."""
        body, left = bytearray(), asyncio.Event()

        async def receive() -> dict[str, object]:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            body.extend(message.get("body", b""))
            if body.count(b"data:") == 3:
                left.set()

        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": "/tokens",
                 "query_string": b"prompt=hi", "headers": []}  # fmt: skip
        await asyncio.wait_for(web.web(scope, receive, send), PATIENCE)
        return bytes(body)

    with served(web.APP) as socket:
        monkeypatch.setenv("DIRTYD_SOCKET", socket)
        assert asyncio.run(visit()).startswith(b"data: hi-0\n\ndata: hi-1\n\ndata: hi-2\n\n")
        # The daemon logs what the generator prints at its end; its worker is free well before the 50 seconds are over.
        log, limit = "", time.monotonic() + PATIENCE
        while "the generator ended" not in log:
            assert time.monotonic() < limit
            time.sleep(0.01)
            out, err = capfd.readouterr()
            log += out + err
