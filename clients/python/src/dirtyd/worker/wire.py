"""Requests read straight from their bytes, where that is simple. The rest is left to protobuf.

The bargain is that of `wire_values`: these functions read by hand what the
arbiter and the clients usually write. For anything else they return None, which
means "ask protobuf". Of frames they read the Request of an Execute without
metadata, and only if it is large, because there protobuf's copy is the cost.
"""

from typing import Any

from dirtyd._proto.dirty.worker.v1.worker_pb2 import Credit
from dirtyd.worker.wire_values import Data, Unusual, read_entry, read_value, read_varint

# ArbiterFrame.request = 4; fields of dirty.worker.v1.Request; fields of dirty.v1.ExecuteRequest.
REQUEST = 0x22
CALL_ID, TIMEOUT, REQUEST_ID, REQUEST_APP, REQUEST_ACTION, PAYLOAD_KIND, PAYLOAD = b"\x08\x18\x2a\x3a\x42\x48\x7a"
NAMES = APP, ACTION = b"\x0a\x12"
ARGUMENT, KEYWORD = b"\x1a\x22"
# Above it protobuf reads a negative number.
LARGEST_KIND = 2**31 - 1


class PlainRequest:
    """A Request without stream, credit and metadata. It has the same attributes as the message."""

    __slots__ = ("action", "app", "call_id", "payload", "payload_kind", "request_id", "timeout_micros")

    stream = False
    credit = Credit()
    metadata = ()

    def __init__(
        self,
        call_id: int,
        timeout_micros: int,
        request_id: str,
        app: str,
        action: str,
        payload_kind: int,
        payload: Data,
    ) -> None:
        self.call_id = call_id
        self.timeout_micros = timeout_micros
        self.request_id = request_id
        self.app = app
        self.action = action
        self.payload_kind = payload_kind
        self.payload = payload


def request_of(frame: bytes) -> bytes | None:
    """Return the encoded Request in an ArbiterFrame, which saves protobuf an object; None if there is more in it."""
    try:
        if frame[0] != REQUEST:
            return None
        size, at = read_varint(frame, 1)
    except (Unusual, IndexError):
        return None
    return frame[at:] if at + size == len(frame) else None


def read_request(frame: Data) -> PlainRequest | None:
    """Return the Request in an ArbiterFrame. Its payload is a slice of `frame`; of a memoryview it is not a copy."""
    end = len(frame)
    request_id = app = action = ""
    payload_kind = 0
    try:
        if frame[0] != REQUEST:
            return None
        size, at = read_varint(frame, 1)
        if at + size != end or frame[at] != CALL_ID:
            return None
        call_id, at = read_varint(frame, at + 1)
        if frame[at] != TIMEOUT:
            return None
        timeout_micros, at = read_varint(frame, at + 1)
        if frame[at] == REQUEST_ID:
            request_id, at = _read_text(frame, at + 1)
        if frame[at] == REQUEST_APP:
            app, at = _read_text(frame, at + 1)
        if frame[at] == REQUEST_ACTION:
            action, at = _read_text(frame, at + 1)
        if frame[at] == PAYLOAD_KIND:
            payload_kind, at = read_varint(frame, at + 1)
        if frame[at] != PAYLOAD or payload_kind > LARGEST_KIND:
            return None
        size, at = read_varint(frame, at + 1)
        if at + size != end:
            return None
    except (Unusual, IndexError, UnicodeDecodeError):
        return None
    return PlainRequest(call_id, timeout_micros, request_id, app, action, payload_kind, frame[at:])


def read_names(payload: Data) -> tuple[str, str, int] | None:
    """Return app and action of an ExecuteRequest, and where its arguments begin: what version 1 needs."""
    try:
        if payload[0] != APP:
            return None
        app, at = _read_text(payload, 1)
        if payload[at] != ACTION:
            return None
        action, at = _read_text(payload, at + 1)
    except (Unusual, IndexError, UnicodeDecodeError):
        return None
    return (app, action, at) if at <= len(payload) else None


def read_arguments(payload: Data, at: int = 0) -> tuple[list[Any], dict[str, Any]] | None:
    """Return args and kwargs of an ExecuteRequest.

    It passes over the names without reading them, unless `at` says where they end; then a further name is for protobuf.
    """
    end, passed = len(payload), b"" if at else NAMES
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    try:
        while at < end:
            tag = payload[at]
            size, start = payload[at + 1], at + 2
            if size > 0x7F:
                size, start = read_varint(payload, at + 1)
            at = start + size
            if at > end:
                return None
            if tag == ARGUMENT:
                args.append(read_value(payload, start, at))
            elif tag == KEYWORD:
                read_entry(payload, start, at, kwargs)
            elif tag not in passed:
                return None
    except (Unusual, IndexError, UnicodeDecodeError):
        return None
    return args, kwargs


def _read_text(data: Data, at: int) -> tuple[str, int]:
    """Return the string whose length lies at `at`, and where it ends: perhaps beyond `data`."""
    size, start = read_varint(data, at)
    return str(data[start : start + size], "utf-8"), start + size
