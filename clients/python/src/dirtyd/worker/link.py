"""Frames on the socket to the arbiter.

Any thread may send; only one thread at a time may receive (see `turn`). A frame
is four bytes of length, big-endian, and one encoded message. A payload of
megabytes is read into a buffer of its own, and is written without a copy.
"""

import socket
import struct
import threading
from contextlib import suppress

from dirtyd._proto.dirty.worker.v1.worker_pb2 import ArbiterFrame, Request, WorkerFrame
from dirtyd.worker.memory import Memory
from dirtyd.worker.waiter import Waiter
from dirtyd.worker.wire import PlainRequest, read_request, request_of
from dirtyd.worker.wire_values import Data, varint

CAPACITY = 64 * 1024
# The bytes that may surround a payload in its frame: names, metadata, the envelope.
ENVELOPE = 1024 * 1024
# The largest message of protobuf itself.
LARGEST = 2**31 - 1

# The tag bytes of the fields that are written by hand. Both fields are length-delimited.
RESPONSE = b"\x2a"  # WorkerFrame.response = 5
CHUNK = b"\x32"  # WorkerFrame.chunk = 6

# What `receive` returns. A Request comes without the frame around it.
Frame = ArbiterFrame | Request | PlainRequest
# An encoded result or chunk in two parts. The second part is empty, or is megabytes that are sent without a copy.
Payload = tuple[bytes, bytes]

_LENGTH = struct.Struct(">I")


class ProtocolError(Exception):
    """The arbiter has broken the protocol. There is no way to find the next frame."""


class Link:
    """The socket, in both directions."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        self._sock = sock
        self._sending = threading.Lock()
        self._buffer = bytearray(CAPACITY)
        self._end = 0
        self.memory = Memory()
        self.limit = ENVELOPE
        #: Where the main thread and the watcher wait for something to receive.
        self.main, self.watcher = Waiter(sock), Waiter(sock)

    def close(self) -> None:
        """Close the socket in a child that user code has forked. The arbiter must not take the child for the worker."""
        # Another thread of the worker may have held it at the fork; there is no such thread in the child.
        self._sending = threading.Lock()
        self._sock.close()
        self.main.close()
        self.watcher.close()

    def drain(self) -> None:
        """Read and drop what comes, until the arbiter is gone."""
        with suppress(OSError):
            while self._sock.recv(CAPACITY):
                pass

    def receive(self) -> list[Frame]:
        """Read from the socket, where a waiter has found something, and return the complete frames.

        Raises EOFError if the arbiter is gone, ProtocolError for a malformed frame.
        """
        try:
            if not self._end:
                return self._first(self._sock.recv(CAPACITY))
            count = self._sock.recv_into(memoryview(self._buffer)[self._end :])
        except ConnectionError:
            count = 0
        if not count:
            raise EOFError
        self._end += count
        return self._frames()

    def _first(self, data: bytes) -> list[Frame]:
        """Take what came while the buffer was empty. That is usually one whole frame, which needs no buffer."""
        if not data:
            raise EOFError
        if len(data) > 4 and _LENGTH.unpack_from(data)[0] == len(data) - 4 <= self.limit:
            return [_parse(data[4:])]
        self._buffer[: len(data)] = data
        self._end = len(data)
        return self._frames()

    def _frames(self) -> list[Frame]:
        """Take the complete frames out of the buffer, and make room for the next one."""
        frames: list[Frame] = []
        buffer, start, end, needed = self._buffer, 0, self._end, 4
        while end - start >= 4:
            (size,) = _LENGTH.unpack_from(buffer, start)
            if size > self.limit:
                raise ProtocolError(f"a frame of {size} bytes is over the limit of {self.limit}")
            needed = 4 + size
            if end - start < needed:
                break
            data = memoryview(buffer)[start + 4 : start + needed]
            # A large frame has a buffer of its own (see `_make_room`) and keeps it, which saves a copy.
            frames.append(_parse(data if needed > CAPACITY else bytes(data)))
            start, needed = start + needed, 4
        if start == end and len(buffer) == CAPACITY:
            self._end = 0
        elif start or needed > len(buffer):
            self._make_room(start, needed)
        return frames

    def _make_room(self, start: int, needed: int) -> None:
        """Move the rest to the front of a buffer that holds the next frame, and holds no more if that one is large."""
        left = self._end - start
        capacity = max(CAPACITY, needed)
        if capacity > CAPACITY:
            self.memory.keep_freed()
        target = self._buffer if len(self._buffer) == capacity == CAPACITY else bytearray(capacity)
        target[:left] = self._buffer[start : self._end]
        self._buffer, self._end = target, left

    def send(self, frame: WorkerFrame) -> None:
        """Send one frame. If the arbiter is gone, `receive` notices it, not this method."""
        self._write(frame.SerializeToString())

    def send_payload(self, tag: bytes, call_id: int, payload: Payload) -> None:
        """Send a Response or Chunk. Its payload is already encoded and may be large."""
        head, body = payload
        size = len(head) + len(body)
        inner = b"\x08" + varint(call_id) + b"\x7a" + varint(size)  # call_id = 1, payload = 15
        self._write(tag + varint(len(inner) + size) + inner + head, body)

    def _write(self, head: bytes, body: bytes = b"") -> None:
        head = _LENGTH.pack(len(head) + len(body)) + head
        try:
            with self._sending:
                if not body:
                    return self._sock.sendall(head)
                sent = self._sock.sendmsg((head, body))
                rest = memoryview(body)[sent - len(head) :] if sent >= len(head) else head[sent:] + body
                return self._sock.sendall(rest)
        except ConnectionError:
            return None


def _parse(data: Data) -> Frame:
    large = len(data) > CAPACITY
    if large and (request := read_request(data)):
        return request
    data = bytes(data)
    try:
        # A large Request stays in its frame, because to take it out would be one more copy.
        if not large and (inner := request_of(data)):
            return Request.FromString(inner)
        return ArbiterFrame.FromString(data)
    except Exception as error:  # protobuf's DecodeError, or RuntimeError in its older runtimes.
        raise ProtocolError(f"a frame cannot be decoded: {error}") from None
