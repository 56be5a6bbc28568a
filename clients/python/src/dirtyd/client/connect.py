"""The Connect protocol: requests as bytes, and what answers hold. Nothing here knows a socket.

https://connectrpc.com/docs/protocol describes it.
"""

import json
import math
from binascii import b2a_base64
from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from dirtyd.client.http1 import Answer, Head, Malformed
from dirtyd.client.status import Failed, broken

UNARY, STREAM = b"application/proto", b"application/connect+proto"

#: The longest timeout that Connect can tell, in seconds, because it has ten digits for milliseconds.
MOST = 9_999_999.0

#: The flag of the last envelope of a stream.
END = 2

#: From this size on a body is gathered in one place, into which the socket writes.
LARGE = 64 * 1024

# The headers that dirtyd's client or HTTP sets.
_OWN = frozenset(
    ("connection", "content-encoding", "content-length", "content-type", "expect", "host", "keep-alive", "te",
     "trailer", "transfer-encoding", "upgrade")
)  # fmt: skip
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")

# What Connect makes of the status of an answer that is not its own, such as a proxy's.
_BY_STATUS = {
    400: "INTERNAL",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "UNIMPLEMENTED",
    429: "UNAVAILABLE",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "UNAVAILABLE",
}

_CODES = frozenset(
    ("unknown", "invalid_argument", "deadline_exceeded", "not_found", "already_exists", "permission_denied",
     "resource_exhausted", "failed_precondition", "aborted", "out_of_range", "unimplemented", "internal", "unavailable",
     "data_loss", "unauthenticated")
)  # fmt: skip


def metadata_lines(entries: Iterable[tuple[str, str | bytes]]) -> bytes:
    """Return a caller's metadata as lines of a head. Raises ValueError for what cannot be sent."""
    lines = []
    for key, value in entries:
        if not key or not _NAME.issuperset(key) or key.startswith("connect-"):
            raise ValueError(f"metadata key {key!r}: use lower-case letters, digits, '-', '_' and '.', not 'connect-'")
        if key in _OWN:
            raise ValueError(f"metadata key {key!r} is a header of HTTP itself; choose another")
        data = value.encode() if isinstance(value, str) else value
        if key.endswith("-bin"):
            data = b2a_base64(data, newline=False).rstrip(b"=")
        elif not data.isascii() or not data.decode("ascii").isprintable():
            raise ValueError(f"metadata {key!r}: the value is not printable ASCII; send bytes with a key in '-bin'")
        lines.append(b"%b: %b\r\n" % (key.encode(), data))
    return b"".join(lines)


@lru_cache(maxsize=256)
def _head(path: bytes, content_type: bytes, metadata: bytes, timeout: float | None) -> bytes:
    """Return the head of a request up to the number of its content-length."""
    told = b""
    if timeout is not None and timeout <= MOST:
        told = b"connect-timeout-ms: %d\r\n" % max(1, math.ceil(timeout * 1000))
    return (
        b"POST /dirty.v1.Arbiter/%b HTTP/1.1\r\n"
        b"host: dirtyd\r\n"
        b"content-type: %b\r\n"
        b"connect-protocol-version: 1\r\n"
        b"%b%b"
        b"content-length: "
    ) % (path, content_type, told, metadata)


def unary_request(body: bytes, metadata: bytes, timeout: float | None) -> bytes:
    """Return the request that calls Execute; `timeout` is in seconds, None for no limit."""
    return b"%b%d\r\n\r\n%b" % (_head(b"Execute", UNARY, metadata, timeout), len(body), body)


def stream_request(body: bytes, metadata: bytes, timeout: float | None) -> bytes:
    """Return the request that calls ExecuteStream; `timeout` is in seconds, None for no limit."""
    head, size = _head(b"ExecuteStream", STREAM, metadata, timeout), len(body)
    return b"%b%d\r\n\r\n\0%b%b" % (head, size + 5, size.to_bytes(4, "big"), body)


def unary_result(head: Head, body: bytes | bytearray) -> bytes | bytearray:
    """Return the ExecuteResponse in an answer, as bytes. Raises Failed if there is none."""
    if head.status == 200 and head.content_type == UNARY:
        return body
    raise _failed(head, body)


def is_unread(head: Head) -> bool:
    """Return True if the arbiter has closed a resting connection and not read the request that was on its way."""
    return head.status == 408 and not head.keep_alive


class Unary:
    """The answer to Execute, as its bytes come in."""

    __slots__ = ("_answer", "_body", "_pieces", "_view")

    def __init__(self) -> None:
        self._answer = Answer()
        self._pieces: list[bytes] = []
        self._body: bytearray | None = None
        self._view: memoryview | None = None

    def feed(self, data: bytes) -> bool:
        """Take the next bytes. Return True once the answer is whole."""
        answer = self._answer
        self._pieces += answer.feed(data)
        left = answer.left()
        if left >= LARGE:
            begun = b"".join(self._pieces)
            self._body = bytearray(len(begun) + left)
            self._body[: len(begun)] = begun
            self._view = memoryview(self._body)[len(begun) :]
        return answer.done

    def room(self) -> memoryview | None:
        """Return where the caller reads the next bytes into, and tells by `filled`; None if it feeds them."""
        return self._view

    def filled(self, count: int) -> bool:
        """Take so many bytes that were read into `room`. Return True once the answer is whole."""
        assert self._view is not None
        self._view = self._view[count:]
        self._answer.took(count)
        return self._answer.done

    def end(self) -> None:
        """Note the end of the connection. Raises Failed if the answer is not whole."""
        if not self._answer.end():
            raise broken("it ended before the answer did" if self._answer.head else "it ended without an answer")

    def result(self) -> tuple[Head, bytes | bytearray, bool]:
        """Return head and body of the whole answer, and True if the connection can serve another call."""
        head = self._answer.head
        assert head is not None
        body = b"".join(self._pieces) if self._body is None else self._body
        return head, body, head.keep_alive and not self._answer.excess


class Chunks:
    """The answer to ExecuteStream, as its bytes come in."""

    __slots__ = ("_answer", "_has_last", "_partial", "ended", "failure", "messages", "size")

    def __init__(self) -> None:
        self._answer = Answer()
        self._partial = bytearray()
        #: The ExecuteStreamResponses that have come and are still to be read, as bytes.
        self.messages: deque[bytes] = deque()
        #: The bytes that have come since this was set to 0.
        self.size = 0
        self._has_last = False
        #: True once the whole answer has come, or it is certain that it does not.
        self.ended = False
        #: Why the stream failed, if it did.
        self.failure: Failed | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises Malformed."""
        self.size += len(data)
        answer = self._answer
        pieces = answer.feed(data)
        head = answer.head
        if head is None:
            return
        if head.status != 200 or head.content_type != STREAM:
            for piece in pieces:
                self._partial += piece
            if answer.done:
                self._fail(head)
            return
        for piece in pieces:
            self._split(piece)
        if answer.done:
            self.ended = True
            if not self._has_last:
                self.failure = broken("the stream ended without its last message")

    def _split(self, data: bytes) -> None:
        """Take the whole envelopes; keep the begin of one."""
        partial, append = self._partial, self.messages.append
        if partial:
            partial += data
            if len(partial) < 5 or len(partial) < 5 + int.from_bytes(partial[1:5], "big"):
                return
            data = bytes(partial)
            partial.clear()
        at, end = 0, len(data)
        while end - at > 4:
            size = int.from_bytes(data[at : at + 5], "big")
            flags = size >> 32
            start = at + 5
            at = start + (size & 0xFFFF_FFFF)
            if at > end:
                at = start - 5
                break
            if not flags and not self._has_last:
                append(data[start:at])
            elif flags == END and not self._has_last:
                self.failure, self._has_last = _end_of_stream(data[start:at]), True
            else:
                raise Malformed(f"an envelope has the flags {flags}")
        if at < end:
            partial += data[at:]

    def end(self) -> None:
        """Note the end of the connection."""
        head = self._answer.head
        if head is not None and self._answer.end():
            self._fail(head)
        elif not self._has_last:
            self.failure = broken("it ended before the stream did" if head else "it ended without an answer")
        self.ended = True

    def _fail(self, head: Head) -> None:
        self.failure, self.ended = _failed(head, self._partial), True

    def is_unread(self) -> bool:
        """Return True if the arbiter has not read the request, see the function of this name."""
        return self._answer.head is not None and is_unread(self._answer.head)

    def keeps(self) -> bool:
        """Return True if the connection can serve another call."""
        answer, head = self._answer, self._answer.head
        if head is None or not answer.done or answer.excess:
            return False
        return head.keep_alive and (self._has_last or head.status != 200)


def _failed(head: Head, body: bytes | bytearray) -> Failed:
    """Return what an answer tells that is no result: an error of Connect, or whatever it is."""
    if head.status != 200 and head.content_type.startswith(b"application/json"):
        error = _json(body)
        if isinstance(error.get("code"), str):
            return _error(error)
    if head.status == 200:
        return Failed("INTERNAL", f"the answer's content-type is {head.content_type.decode('latin-1')!r}")
    text = bytes(body[:200]).decode("utf-8", "replace").strip()
    code = _BY_STATUS.get(head.status, "UNKNOWN")
    return Failed(code, f"HTTP status {head.status}" + (f": {text}" if text else ""))


def _end_of_stream(message: bytes) -> Failed | None:
    """Return the error in the last message of a stream."""
    error = _json(message).get("error")
    return _error(error) if isinstance(error, dict) else None


def _error(error: dict[str, Any]) -> Failed:
    """Return an error of Connect under gRPC's name of its code."""
    code = error.get("code")
    name = "CANCELLED" if code == "canceled" else str(code).upper() if code in _CODES else "UNKNOWN"
    return Failed(name, str(error.get("message") or ""), error.get("details") or ())


def _json(text: bytes | bytearray) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
