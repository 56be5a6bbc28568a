"""An arbiter for tests of the worker runtime: one real worker process at the other end of a socketpair."""

import os
import select
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from dirtyd._proto.dirty.v1.arbiter_pb2 import ExecuteRequest, ExecuteResponse
from dirtyd._proto.dirty.worker.v1 import worker_pb2 as pb
from dirtyd.values import decode, encode

# The limit, in seconds, at which a test fails. A test that passes never comes near it.
PATIENCE = 30.0


class FakeArbiter:
    """Starts a worker in `directory` and speaks the protocol with it, frame by frame."""

    def __init__(self, directory: Path, env: dict[str, str] | None = None) -> None:
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(PATIENCE)
        self.stderr_path = directory / "stderr.log"
        self.calls = 0
        #: The version of the protocol; `welcome` may choose another.
        self.version = 2
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        set_by_the_arbiter = {"DIRTYD_WORKER_FD": str(theirs.fileno()), "PYTHONSAFEPATH": "dirtyd"}
        with theirs, self.stderr_path.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dirtyd.worker"],
                cwd=directory,
                env={**inherited, **set_by_the_arbiter, **(env or {})},
                pass_fds=[theirs.fileno()],
                stdout=subprocess.PIPE,
                stderr=stderr,
            )

    def send(self, **kind: Any) -> None:
        data = pb.ArbiterFrame(**kind).SerializeToString()
        self.sock.sendall(len(data).to_bytes(4, "big") + data)

    def receive(self) -> pb.WorkerFrame:
        return pb.WorkerFrame.FromString(self._exactly(int.from_bytes(self._exactly(4), "big")))

    def expect(self, kind: str) -> Any:
        frame = self.receive()
        assert frame.WhichOneof("kind") == kind, frame
        return getattr(frame, kind)

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self.sock.recv(size - len(data))
            if not part:
                raise EOFError(f"the worker is gone: {self.stderr()}")
            data += part
        return bytes(data)

    def welcome(self, **settings: Any) -> pb.Hello:
        hello = self.expect("hello")
        self.version = settings.setdefault("protocol_version", self.version)
        self.send(welcome=pb.Welcome(**{"worker_id": 7, "threads": 1, "pool": "p", **settings}))
        return hello

    def init(self, app: str) -> Any:
        """Ask for an app and return the AppReady or AppFailed that answers."""
        self.send(init_app=pb.InitApp(app=app))
        frame = self.receive()
        return getattr(frame, frame.WhichOneof("kind"))

    def boot(self, *apps: str, **settings: Any) -> "FakeArbiter":
        self.welcome(**settings)
        for app in apps:
            answer = self.init(app)
            assert isinstance(answer, pb.AppReady), answer
        return self

    def start(
        self,
        action: str,
        *args: Any,
        app: str = "apps:App",
        stream: bool = False,
        chunks: int = 1000,
        size: int = 1 << 30,
        timeout: float = 60,
        metadata: dict[str, bytes] | None = None,
        **kwargs: Any,
    ) -> int:
        """Send a Request and return its call id."""
        message = ExecuteRequest(app=app, action=action)
        for value in args:
            encode(value, message.args.add())
        for name, value in kwargs.items():
            encode(value, message.kwargs[name])
        request = self.request(app, action, message.SerializeToString(), timeout)
        for key, entry in (metadata or {}).items():
            request.metadata.add(key=key, value=entry)
        return self._begin(request, stream, chunks, size)

    def start_json(
        self,
        action: str,
        text: str | bytes = b"",
        app: str = "apps:App",
        stream: bool = False,
        chunks: int = 1000,
        size: int = 1 << 30,
    ) -> int:
        """Send a Request whose payload is JSON and return its call id."""
        request = self.request(app, action, text.encode() if isinstance(text, str) else text)
        request.payload_kind = pb.PAYLOAD_KIND_JSON
        return self._begin(request, stream, chunks, size)

    def _begin(self, request: pb.Request, stream: bool, chunks: int, size: int) -> int:
        request.stream = stream
        if stream:
            request.credit.chunks, request.credit.bytes = chunks, size
        self.send(request=request)
        return request.call_id

    def request(self, app: str, action: str, payload: bytes, timeout: float = 60) -> pb.Request:
        """Return the next Request as an arbiter of this version writes it, for one result."""
        self.calls += 1
        request = pb.Request(call_id=self.calls, request_id=f"r{self.calls}", payload=payload)
        request.timeout_micros = int(timeout * 1e6)
        if self.version >= 2:
            request.app, request.action = app, action
            request.payload_kind = pb.PAYLOAD_KIND_EXECUTE_REQUEST
        return request

    def value(self, kind: str = "response") -> Any:
        """Receive a Response or Chunk and return what it carries."""
        return decode(ExecuteResponse.FromString(self.expect(kind).payload).result)

    def call(self, action: str, *args: Any, **kwargs: Any) -> Any:
        call_id = self.start(action, *args, **kwargs)
        response = self.expect("response")
        assert response.call_id == call_id
        return decode(ExecuteResponse.FromString(response.payload).result)

    def error(self, action: str, *args: Any, **kwargs: Any) -> pb.Error:
        call_id = self.start(action, *args, **kwargs)
        error = self.expect("error")
        assert error.call_id == call_id
        return error

    def text(self, kind: str = "response") -> str:
        """Receive a Response or Chunk of a call in JSON and return its one line."""
        return self.expect(kind).payload.decode()

    def call_json(self, action: str, text: str | bytes = b"") -> str:
        call_id = self.start_json(action, text)
        response = self.expect("response")
        assert response.call_id == call_id
        return response.payload.decode()

    def error_json(self, action: str, text: str | bytes = b"") -> pb.Error:
        call_id = self.start_json(action, text)
        error = self.expect("error")
        assert error.call_id == call_id
        return error

    def cancel(self, call_id: int, reason: int = pb.CANCEL_REASON_CALLER_GONE) -> None:
        self.send(cancel=pb.Cancel(call_id=call_id, reason=reason))

    def ping(self, nonce: int = 1) -> None:
        self.send(ping=pb.Ping(nonce=nonce))
        assert self.expect("pong").nonce == nonce

    def shutdown(self) -> int:
        self.send(shutdown=pb.Shutdown())
        return self.process.wait(PATIENCE)

    def stderr(self) -> str:
        return self.stderr_path.read_text()

    def close(self) -> None:
        self.sock.close()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


def write_app(directory: Path, source: str, name: str = "apps.py") -> None:
    (directory / name).write_text(textwrap.dedent(source))


class Fifo:
    """A place where an action meets its test. Each side waits for the other, the test with a limit."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        # Open for both directions, so that neither opening nor writing waits for the other side.
        self.fd = os.open(path, os.O_RDWR)

    def read(self) -> bytes:
        assert select.select([self.fd], [], [], PATIENCE)[0], "the action did not come that far"
        return os.read(self.fd, 100)

    def write(self) -> None:
        os.write(self.fd, b"now\n")
