"""The systems that are compared: how each is started, called and stopped.

Every system runs the actions of bench.py. `load` is the target of the native
load generator, and `python` names the caller in callers.py.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DIRTYD = ROOT / "target/release/dirtyd"
LOAD = ROOT / "target/release/examples/load"
# More than the largest message of the scenarios.
MAX_MESSAGE = "80MiB"


class System:
    """One system with its processes; a context manager."""

    name = ""
    #: Its caller in callers.py.
    python = ""
    streams = False
    #: Its settings that are not defaults, for the report.
    settings = ""

    def __init__(self, workers=4, threads=1, **options):
        self.workers, self.threads, self.options = workers, threads, options
        self.directory = tempfile.TemporaryDirectory(prefix="bench-")
        self.socket = f"{self.directory.name}/s"
        self.process = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def load(self, action, ints, size) -> str | None:
        """Returns the target of the native load generator, or None if the generator cannot call this system."""
        return None

    def is_front(self, process) -> bool:
        """Returns whether a process is part of the front, which is everything but the workers."""
        return process.depth == 0

    def is_ready(self) -> bool:
        probe = [
            sys.executable,
            HERE / "callers.py",
            self.python,
            self.socket,
            "--probe",
        ]
        return subprocess.run(probe, capture_output=True, env=environment()).returncode == 0

    def __enter__(self):
        log = open(f"{self.directory.name}/log", "wb")
        self.process = subprocess.Popen(
            [str(part) for part in self.command()],
            stdout=log,
            stderr=log,
            env={**environment(), "BENCH_WORKERS": str(self.workers)},
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"{self.name} does not serve: {Path(log.name).read_text()[-2000:]}")
            time.sleep(0.2)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Dirtyd(System):
    name, python, streams = "dirtyd", "dirtyd", True
    settings = (
        f"`max_message_size = {MAX_MESSAGE}` (the default of 64MiB would do), `log_filter = warn`, `serve --single`"
    )

    def command(self):
        apps = self.options.get("apps", 1)
        lines = [
            f'socket = "{self.socket}"', f"workers = {self.workers}", f"threads = {self.threads}",
            f"max_queue = {self.options.get('max_queue', 1024)}", f'max_message_size = "{MAX_MESSAGE}"',
            f"max_concurrent_streams = {self.options.get('max_queue', 1024) + 64}", 'log_filter = "warn"',
        ]  # fmt: skip
        lines += [f'[[app]]\npath = "{path}"' for path in ["bench:Bench"] + [f"bench:App{n}" for n in range(1, apps)]]
        Path(f"{self.directory.name}/dirtyd.toml").write_text("\n".join(lines))
        single = [] if "--single" not in serve_help() else ["--single"]
        return [
            DIRTYD,
            "serve",
            *single,
            "--config",
            f"{self.directory.name}/dirtyd.toml",
        ]

    def load(self, action, ints, size):
        return f"dirtyd:{self.socket}"

    def is_front(self, process):
        return "dirtyd.worker" not in process.command

    def is_ready(self):
        status = subprocess.run(
            [DIRTYD, "status", "--json", "--socket", self.socket],
            capture_output=True,
            text=True,
        )
        if status.returncode:
            return False
        workers = json.loads(status.stdout)["workers"]
        return sum("READY" in str(worker["state"]).upper() for worker in workers) == self.workers


class Gunicorn(System):
    name, python, streams = "gunicorn", "gunicorn", True
    settings = "`dirty_workers`, `dirty_threads`; its limit of 64 MiB a message is fixed"

    def command(self):
        return [
            sys.executable,
            HERE / "gunicorn_arbiter.py",
            self.socket,
            self.workers,
            self.threads,
        ]

    def load(self, action, ints, size):
        recorded = Path(f"{self.directory.name}/request")
        recorded.write_bytes(gunicorn_request(action, ints, size))
        return f"replay:{self.socket}:{recorded}"

    def is_front(self, process):
        return process.depth == 1


class Mosec(System):
    name, python = "mosec", "http"
    settings = "`--capacity 20000 --timeout 60000`, `--max-request-size` 80 MiB (default 10 MiB); bodies unopened"

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.socket = f"127.0.0.1:{free_port()}"

    def command(self):
        port = self.socket.split(":")[1]
        return [
            sys.executable, HERE / "mosec_server.py", "--port", port, "--path", f"{self.directory.name}/ipc",
            "--capacity", "20000", "--max-request-size", str(80 << 20), "--log-level", "error", "--timeout", "60000",
        ]  # fmt: skip

    def load(self, action, ints, size):
        return f"http:{self.socket}:/inference"

    def is_front(self, process):
        return "python" not in process.command.split(" ")[0]


class Grpcio(System):
    """A plain grpcio server that runs the action in its own process, without an arbiter."""

    name, python, streams = "grpcio in process", "grpcio", True
    settings = "`grpc.max_receive_message_length = -1` on both sides (default 4 MiB), a thread for each slot"

    def command(self):
        return [
            sys.executable,
            HERE / "grpcio_server.py",
            self.socket,
            self.workers * self.threads,
        ]

    def load(self, action, ints, size):
        return f"dirtyd:{self.socket}"


SERVERS = (Dirtyd, Gunicorn, Mosec, Grpcio)


class Executor(System):
    """concurrent.futures.ProcessPoolExecutor, whose pool belongs to its one caller."""

    name, python = "ProcessPoolExecutor", "executor"

    def __enter__(self):
        self.socket = str(self.workers)
        return self

    def __exit__(self, *_):
        pass


class TonicEcho(System):
    """The floor of gRPC: a tonic server that answers itself."""

    name, python = "floor: empty tonic echo", "grpcio"

    def command(self):
        return [LOAD, "tonic-echo", self.socket]

    def is_ready(self):
        return Path(self.socket).exists()

    def load(self, action, ints, size):
        return f"dirtyd:{self.socket}"


def environment():
    path = os.pathsep.join([str(HERE), str(ROOT / "clients/python/src")])
    # The reason stands in a table, so it has no backtrace.
    return {**os.environ, "PYTHONPATH": path, "DIRTYD_PYTHON": sys.executable, "RUST_BACKTRACE": "0"}


def serve_help():
    return subprocess.run([DIRTYD, "serve", "--help"], capture_output=True, text=True, check=True).stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def gunicorn_request(action, ints, size):
    """Returns the bytes that gunicorn's own client sends for the call."""
    from gunicorn.dirty.protocol import BinaryProtocol

    args = (*ints, *([b"Z" * size] if size is not None else []))
    return BinaryProtocol.encode_request(1, "gunicorn_arbiter:Bench", action, args, {})
