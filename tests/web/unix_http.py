"""HTTP/1.1 over a Unix socket, so that no port is taken: one connection for each request."""

import http.client
import socket
from typing import Any
from urllib.parse import urlencode

from daemon import PATIENCE


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Request:
    """A request whose answer is read later, or never. The end of its `with` leaves."""

    def __init__(self, socket_path: str, target: str, **query: Any) -> None:
        self._connection = UnixConnection(socket_path)
        # Without keep-alive no connection is cut between two requests when a web server restarts its workers.
        self._connection.request("GET", f"{target}?{urlencode(query)}", headers={"connection": "close"})
        self._response: http.client.HTTPResponse | None = None

    def __enter__(self) -> "Request":
        return self

    def __exit__(self, *_: object) -> None:
        if self._response:
            self._response.close()  # It holds the socket open, too.
        self._connection.close()

    def line(self) -> str:
        """Wait for the next line of the body; '' at its end."""
        return self._answer().readline().decode()

    def body(self) -> str:
        """Wait for the rest of the body. Anything but the status 200 fails."""
        answer = self._answer()
        text = answer.read().decode()
        assert answer.status == 200, f"{answer.status} {text}"
        return text

    def status_and_body(self) -> tuple[int, str]:
        answer = self._answer()
        return answer.status, answer.read().decode()

    def _answer(self) -> http.client.HTTPResponse:
        if not self._response:
            self._response = self._connection.getresponse()
        return self._response


def get(socket_path: str, target: str, **query: Any) -> str:
    """Return the body of an answer with the status 200."""
    with Request(socket_path, target, **query) as request:
        return request.body()
