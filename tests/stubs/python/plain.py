"""Calls an action over plain HTTP with what Python users have: http.client of the standard library, and requests.

Both know of the socket at DIRTYD_SOCKET and nothing else: JSON, and the events of a stream.
"""

import http.client
import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import quote

import requests_unixsocket

SOCKET = os.environ["DIRTYD_SOCKET"]
PATH = "/v1/conformance:Conformance/"
EVENTS = {"accept": "text/event-stream"}

# Calls an action; gives the status, and the lines of the answer as they come. Leaving it closes the connection.
Call = Callable[[str, list, dict[str, str]], AbstractContextManager[tuple[int, Iterator[bytes]]]]


class UnixConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(SOCKET)


@contextmanager
def http_client(action: str, arguments: list, headers: dict[str, str]) -> Iterator[tuple[int, Iterator[bytes]]]:
    connection = UnixConnection("dirtyd")
    connection.request("POST", PATH + action, json.dumps(arguments), headers)
    response = connection.getresponse()
    try:
        yield response.status, (line.rstrip(b"\n") for line in response)
    finally:
        # The response has the connection's file, too.
        response.close()
        connection.close()


@contextmanager
def requests(action: str, arguments: list, headers: dict[str, str]) -> Iterator[tuple[int, Iterator[bytes]]]:
    url = f"http+unix://{quote(SOCKET, safe='')}{PATH}{action}"
    with (
        requests_unixsocket.Session() as session,
        session.post(url, json=arguments, headers=headers, stream=True) as response,
    ):
        yield response.status_code, response.iter_lines(chunk_size=1)


def check(call: Call, closed: Path) -> None:
    with call("echo", [{"ü": [1, 2.5, None]}], {}) as (status, lines):
        assert (status, json.loads(b"".join(lines))) == (200, {"ü": [1, 2.5, None]})
    with call("nothing_of_the_kind", [], {}) as (status, lines):
        assert (status, json.loads(b"".join(lines))["reason"]) == (404, "ACTION_NOT_FOUND")
    with call("count", [3], EVENTS) as (status, lines):
        expected = [b"data: 0", b"", b"data: 1", b"", b"data: 2", b"", b"event: end", b"data: null", b""]
        assert (status, list(lines)) == (200, expected)
    with call("watched", [1_000_000, str(closed)], EVENTS) as (_, lines):
        assert next(lines) == b"data: 0"
    end = time.monotonic() + 2
    while not closed.exists():
        assert time.monotonic() < end, "the generator was not closed within 2 s"
        time.sleep(0.01)


for call in (http_client, requests):
    with tempfile.TemporaryDirectory() as folder:
        check(call, Path(folder) / "closed")
    print(f"PASS {call.__name__}: a call, an error, a stream, and a stream that is left")
