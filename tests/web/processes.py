"""A process that a test starts, with all that it starts itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from daemon import PATIENCE

APPS = Path(__file__).parent / "apps"
PROGRAMS = Path(__file__).parent / "programs"


@contextmanager
def running(
    command: Sequence[str], socket_of_daemon: str, env: Mapping[str, str] | None = None, cwd: Path = APPS
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of Python that serves until it gets TERM. What is left of its group afterwards is killed."""
    process = subprocess.Popen(
        [sys.executable, *command], cwd=cwd, env=_environment(socket_of_daemon, env or {}), start_new_session=True
    )
    try:
        yield process
        process.terminate()
        process.wait(PATIENCE)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def printed_by(program: str, socket_of_daemon: str, *arguments: str) -> str:
    """Run a program of this suite to its end, and return what it printed. Whatever it leaves open fails the test."""
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", str(PROGRAMS / program), *arguments],
        cwd=APPS, env=_environment(socket_of_daemon, {}), capture_output=True, text=True, timeout=2 * PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not [word for word in ("Traceback", "Exception ignored", "ResourceWarning") if word in done.stderr], (
        done.stderr
    )
    return done.stdout


def _environment(socket_of_daemon: str, more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(APPS), "DIRTYD_SOCKET": socket_of_daemon, **more}


def children(pid: int) -> set[int]:
    """Return the processes that this process has started and that are not over."""
    found = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            found.update(int(child) for child in (task / "children").read_text().split())
    return found


def with_descendants(pid: int) -> set[int]:
    """Return this process and all that it has started, and so on."""
    return {pid}.union(*(with_descendants(child) for child in children(pid)))


def descriptors(pids: set[int]) -> int:
    """Return how many descriptors these processes have open."""
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
