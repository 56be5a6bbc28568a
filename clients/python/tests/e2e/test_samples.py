"""Each sample does what it says, against a daemon that serves its app. Those for the web are run by tests/web."""

import os
import subprocess
import sys
import tempfile
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
