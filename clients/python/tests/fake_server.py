"""An arbiter for tests of the client: python fake_server.py SOCKET DIRECTORY. Prints "ready"; exits when stdin ends.

It speaks Connect over HTTP/1.1 and knows how to misbehave: `raw` answers with any
bytes, and other actions say what becomes of the connection.
"""

import json
import os
import sys
import termios
import threading
import time
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingMixIn, UnixStreamServer
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import DebugInfo, ErrorInfo, RetryInfo

from dirtyd._proto.dirty.v1.arbiter_pb2 import ExecuteRequest, ExecuteResponse, ExecuteStreamResponse
from dirtyd.values import decode, encode

PATIENCE = 60.0
#: How often each name was attempted, and what happened to connections, by its name.
counts: Counter[str] = Counter()
counting = threading.Lock()

UNREAD = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Failure(Exception):
    def __init__(self, code: str, details: list[Any]) -> None:
        self.error = {"code": code.lower().replace("cancelled", "canceled"), "message": "it failed", "details": details}


def count(name: str, more: int) -> int:
    with counting:
        counts[name] += more
        return counts[name]


def failure(code: str, reason: str, facts: dict[str, str], retry_after: float = 1.5) -> Failure:
    seconds, rest = divmod(retry_after, 1)
    messages = (
        ErrorInfo(domain="dirty.v1", reason=reason, metadata=facts),
        RetryInfo(retry_delay=Duration(seconds=int(seconds), nanos=int(rest * 1e9))),
        DebugInfo(stack_entries=["Traceback", "  in f"], detail="traceback"),
    )
    details = [
        {"type": message.DESCRIPTOR.full_name, "value": b64encode(message.SerializeToString()).decode().rstrip("=")}
        for message in messages
    ]
    return Failure(code, details)


def fail_first(name: str, failures: int, *arguments: Any) -> None:
    """Fail the first attempts under one name."""
    if count(name, 1) <= failures:
        raise failure(*arguments)


def until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.001)


class Handler(StreamRequestHandler):
    """One connection."""

    disable_nagle_algorithm = False

    def handle(self) -> None:
        count("connections", 1)
        count("open", 1)
        #: What becomes of the next request: an action that was called before says it.
        self.fate = ""
        try:
            while self.fate != "close" and self.one():
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            count("open", -1)

    def one(self) -> bool:
        """Serve one request. Return False at the end of the connection."""
        line = self.rfile.readline()
        if not line:
            return False
        headers = []
        while (header := self.rfile.readline()) != b"\r\n":
            name, _, value = header.decode().partition(": ")
            headers.append((name, value.rstrip("\r\n")))
        self.headers = dict(headers)
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.fate:
            self.wfile.write(UNREAD if self.fate == "unread" else b"")
            return False
        streams = line == b"POST /dirty.v1.Arbiter/ExecuteStream HTTP/1.1\r\n"
        assert streams or line == b"POST /dirty.v1.Arbiter/Execute HTTP/1.1\r\n", line
        assert self.headers["host"] == "dirtyd"
        assert self.headers["connect-protocol-version"] == "1"
        if streams:
            assert body[0] == 0
            assert int.from_bytes(body[1:5], "big") == len(body) - 5
            assert self.headers["content-type"] == "application/connect+proto"
        else:
            assert self.headers["content-type"] == "application/proto"
        request = ExecuteRequest.FromString(body[5:] if streams else body)
        args = [decode(value) for value in request.args]
        kwargs = {name: decode(value) for name, value in request.kwargs.items()}
        if request.action == "raw":
            self.raw(*args)
        elif streams:
            self.stream(request.action, args)
        else:
            self.execute(request, args, kwargs)
        return True

    def raw(self, pieces: list[bytes], fate: str = "") -> None:
        """Send each piece once the one before is read. The connection closes behind them if `fate` is "close"."""
        self.fate = fate
        for piece in pieces:
            self.wfile.write(piece)
            until(self.is_read)

    def is_read(self) -> bool:
        return ioctl(self.connection, termios.TIOCOUTQ, b"\0\0\0\0") == b"\0\0\0\0"

    def until_left(self) -> None:
        """Wait until the caller leaves, and tell the test."""
        count("waiting", 1)
        with suppress(ConnectionResetError):
            self.rfile.read(1)
        (Path(sys.argv[2]) / "ended").touch()
        count("waiting", -1)

    def execute(self, request: ExecuteRequest, args: list[Any], kwargs: dict[str, Any]) -> None:
        try:
            value = self.result(request, args, kwargs)
        except Failure as failed:
            body = json.dumps(failed.error).encode()
            self.wfile.write(
                b"HTTP/1.1 500 Error\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (len(body), body)
            )
            return
        message = ExecuteResponse()
        encode(value, message.result)
        body = message.SerializeToString()
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        )

    def result(self, request: ExecuteRequest, args: list[Any], kwargs: dict[str, Any]) -> Any:
        match request.action:
            case "fail":
                raise failure(*args)
            case "fail_first":
                fail_first(*args)
            case "count":
                return counts[args[0]]
            case "bare":
                raise Failure(args[0], [])
            case "never":
                self.until_left()
            case "metadata":
                return {
                    key: b64decode(value + "=" * (-len(value) % 4)) if key.endswith("-bin") else value
                    for key, value in self.headers.items()
                    if key.startswith("x-")
                }
            case "left":
                milliseconds = self.headers.get("connect-timeout-ms")
                return milliseconds and int(milliseconds) / 1000
            case "then":
                self.fate = args[0]
            case "meet":  # Answers once so many have come.
                count("met", 1)
                until(lambda: counts["met"] >= args[0])
        return {"app": request.app, "action": request.action, "args": args, "kwargs": kwargs}

    def stream(self, action: str, args: list[Any]) -> None:
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/connect+proto\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        end: dict[str, Any] = {}
        try:
            if action == "fail_first":
                fail_first(*args[1:])
            for number in range(args[0]):
                message = ExecuteStreamResponse()
                encode(number if action != "blobs" else bytes(args[1]), message.chunk)
                self.envelope(0, message.SerializeToString())
                count("chunks", 1)
            while action == "drips":
                self.envelope(0, message.SerializeToString())
                time.sleep(0.01)
            if action == "breaks_off":
                raise failure("ABORTED", args[1] if len(args) > 1 else "WORKER_CRASHED", {"worker_pid": "12"})
            if action == "endless":
                self.until_left()
        except Failure as failed:
            end = {"error": failed.error}
        except BrokenPipeError:
            (Path(sys.argv[2]) / "ended").touch()
            raise
        self.envelope(2, json.dumps(end).encode())
        self.wfile.write(b"0\r\n\r\n")

    def envelope(self, flags: int, message: bytes) -> None:
        self.wfile.write(b"%x\r\n%c%b%b\r\n" % (len(message) + 5, flags, len(message).to_bytes(4, "big"), message))


class Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    request_queue_size = 1024


def main() -> None:
    server = Server(sys.argv[1], Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    os.unlink(sys.argv[1])
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
