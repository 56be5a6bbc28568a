"""Requests straight from their bytes, where that is simple; for the rest there is protobuf.

The same bargain as in `wire_values`: what the arbiter and the clients usually
write is read by hand, and for anything else the answer is None, which means
"ask protobuf". Of frames it is the Request of an Execute without metadata, if
it is large: then protobuf's copy is what costs.
"""

from typing import Any

from dirtyd._proto.dirty.worker.v1.worker_pb2 import Credit
from dirtyd.worker.wire_values import Data, Unusual, read_entry, read_value, read_varint

# ArbiterFrame.request = 4; fields of dirty.worker.v1.Request; fields of dirty.v1.ExecuteRequest.
REQUEST = 0x22
CALL_ID, TIMEOUT, REQUEST_ID, PAYLOAD = b"\x08\x18\x2a\x7a"
APP, ACTION, ARGUMENT, KEYWORD = b"\x0a\x12\x1a\x22"


class PlainRequest:
    """A Request without stream, credit and metadata; it has the same attributes as the message."""

    __slots__ = ("call_id", "payload", "request_id", "timeout_micros")

    stream = False
    credit = Credit()
    metadata = ()

    def __init__(self, call_id: int, timeout_micros: int, request_id: str, payload: Data) -> None:
        self.call_id = call_id
        self.timeout_micros = timeout_micros
        self.request_id = request_id
        self.payload = payload


def request_of(frame: bytes) -> bytes | None:
    """The encoded Request in an ArbiterFrame, if that is all that it has: one object less for protobuf to make."""
    try:
        if frame[0] != REQUEST:
            return None
        size, at = read_varint(frame, 1)
    except (Unusual, IndexError):
        return None
    return frame[at:] if at + size == len(frame) else None


def read_request(frame: Data) -> PlainRequest | None:
    """The Request in an ArbiterFrame; its payload is a slice of `frame`, and no copy if that is a memoryview."""
    end = len(frame)
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
        request_id = ""
        if frame[at] == REQUEST_ID:
            size, start = read_varint(frame, at + 1)
            at = start + size
            request_id = str(frame[start:at], "utf-8")
        if frame[at] != PAYLOAD:
            return None
        size, at = read_varint(frame, at + 1)
        if at + size != end:
            return None
    except (Unusual, IndexError, UnicodeDecodeError):
        return None
    return PlainRequest(call_id, timeout_micros, request_id, frame[at:])


def read_arguments(payload: Data) -> tuple[str, str, list[Any], dict[str, Any]] | None:
    """App, action, args and kwargs of an ExecuteRequest."""
    end = len(payload)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    try:
        if payload[0] != APP:
            return None
        # Names have at most 255 bytes, and most of them less than 128: a length of one byte.
        size, start = payload[1], 2
        if size > 0x7F:
            size, start = read_varint(payload, 1)
        at = start + size
        app = str(payload[start:at], "utf-8")
        if payload[at] != ACTION:
            return None
        size, start = payload[at + 1], at + 2
        if size > 0x7F:
            size, start = read_varint(payload, at + 1)
        at = start + size
        if at > end:
            return None
        action = str(payload[start:at], "utf-8")
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
            else:
                return None
    except (Unusual, IndexError, UnicodeDecodeError):
        return None
    return app, action, args, kwargs
