"""A web server of one of the stacks, for as long as a test needs it."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import processes
import unix_http
from processes import APPS
from stacks import SOCKET
from unix_http import Request
from waiting import until


@dataclass(frozen=True)
class WebServer:
    """A web server that answers."""

    path: str
    process: subprocess.Popen[bytes]

    def request(self, target: str, **query: Any) -> Request:
        return Request(self.path, target, **query)

    def get(self, target: str, **query: Any) -> str:
        return unix_http.get(self.path, target, **query)

    def echo(self, style: str, text: str, times: int = 1) -> str:
        """Return `text`, `times` times, by way of a worker of dirtyd."""
        return self.get(f"/{style}/echo", text=text, times=times)

    def worker(self) -> int:
        """Return the process that answers now."""
        return int(self.get("/ping"))

    def workers(self) -> set[int]:
        return processes.children(self.process.pid)

    def descriptors(self) -> int:
        """Return how many descriptors all its processes have open."""
        return processes.descriptors(processes.with_descendants(self.process.pid))


@contextmanager
def serving(
    directory: Path,
    command: Sequence[str],
    socket_of_daemon: str,
    env: Mapping[str, str] | None = None,
    *,
    cwd: Path = APPS,
    ready: str = "/ping",
) -> Iterator[WebServer]:
    """Run a web server that listens in `directory`, and yield it as soon as it answers a request for `ready`."""
    path = f"{directory}/web.sock"
    filled = [word.replace(SOCKET, path) for word in command]
    with processes.running(filled, socket_of_daemon, env, cwd) as process:
        server = WebServer(path, process)
        until(lambda: _answers(server, ready), f"{' '.join(command)} answers")
        yield server


def _answers(server: WebServer, target: str) -> bool:
    assert server.process.poll() is None, "the web server ended"
    try:
        return bool(server.get(target))
    except OSError:
        return False
