"""Answers of HTTP/1.1, read from bytes as they come. Nothing here knows a socket."""

from functools import lru_cache

#: The largest head of an answer, in bytes. It has room for a message of an error of any size that dirtyd sends.
MAX_HEAD = 256 * 1024
#: The longest line in front of a chunk, in bytes, and the longest trailer.
MAX_LINE = 4096
_HEX = frozenset(b"0123456789abcdefABCDEF")
#: The length of a body that is chunked, or ends with the connection.
UNKNOWN = -1


class Malformed(Exception):
    """What came is no answer of HTTP/1.1."""


class Head:
    """The status and those headers that say how to read on. Shared and never changed."""

    __slots__ = ("chunked", "content_type", "keep_alive", "length", "status")

    def __init__(self, status: int, length: int, chunked: bool, keep_alive: bool, content_type: bytes) -> None:
        self.status = status
        #: The bytes of the body, or UNKNOWN.
        self.length = length
        self.chunked = chunked
        #: True if the connection can serve another call after the body.
        self.keep_alive = keep_alive
        self.content_type = content_type


@lru_cache(maxsize=256)  # A server repeats itself: most heads differ by the length and the second only.
def read_head(data: bytes) -> Head:
    """Return the head that `data` holds, without the empty line after it. Raises Malformed."""
    line, *lines = data.split(b"\r\n")
    version, _, rest = line.partition(b" ")
    code = rest[:3]
    if version not in (b"HTTP/1.1", b"HTTP/1.0") or len(code) != 3 or not code.isdigit():
        raise Malformed(f"an answer begins with {line[:40]!r}")
    status, length = int(code), UNKNOWN
    chunked, keep_alive, content_type = False, version == b"HTTP/1.1", b""
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise Malformed(f"a header is {line[:40]!r}")
        name, value = name.lower(), value.strip()
        if name == b"content-length":
            if not value.isdigit() or length not in (UNKNOWN, int(value)):
                raise Malformed(f"the content-length is {value[:40]!r}")
            length = int(value)
        elif name == b"transfer-encoding":
            if value.lower() != b"chunked":
                raise Malformed(f"the transfer-encoding is {value[:40]!r}")
            chunked = True
        elif name == b"connection":
            options = [option.strip() for option in value.lower().split(b",")]
            keep_alive = b"close" not in options and (keep_alive or b"keep-alive" in options)
        elif name == b"content-type":
            content_type = value.lower()
    if status in (204, 304):
        length, chunked = 0, False
    elif chunked:
        length = UNKNOWN
    elif length == UNKNOWN:
        keep_alive = False
    return Head(status, length, chunked, keep_alive, content_type)


def whole(data: bytes) -> tuple[Head, bytes] | None:
    """Return head and body if `data` is exactly one answer with a content-length. Raises Malformed."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = read_head(data[:end])
    if head.length != len(data) - end - 4 or head.status < 200:
        return None
    return head, data[end + 4 :]


class Answer:
    """One answer, of which each `feed` returns what it has of the body."""

    __slots__ = ("_in_trailers", "_left", "_rest", "done", "excess", "head")

    def __init__(self) -> None:
        #: None until the head is whole.
        self.head: Head | None = None
        #: True once the body is whole.
        self.done = False
        #: True if bytes came behind the answer. Nobody has asked for them, so the connection is of no further use.
        self.excess = False
        self._rest = b""  # An unfinished head or line.
        self._left = 0  # The bytes that are still to come of the body, or of its chunk and the line's end behind that.
        self._in_trailers = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes, of which there is at least one. Raises Malformed."""
        while self.head is None:
            data = self._rest + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                if len(data) > MAX_HEAD:
                    raise Malformed("the head of an answer does not end")
                self._rest = data
                return []
            head = read_head(data[:end])
            data, self._rest = data[end + 4 :], b""
            if head.status < 200:  # A word in between, such as 100: the answer follows.
                continue
            self.head = head
            self._left = max(head.length, 0)
            self.done = head.length == 0
        if self.done:
            self.excess = self.excess or bool(data)
            return []
        if self.head.chunked:
            return self._chunks(data)
        if self.head.length == UNKNOWN:
            return [data]
        self.excess = len(data) > self._left
        piece = data[: self._left] if self.excess else data
        self.took(len(piece))
        return [piece]

    def left(self) -> int:
        """Return how many bytes are still to come of a body whose length is known; otherwise 0."""
        return 0 if self.head is None or self.head.chunked else self._left

    def took(self, count: int) -> None:
        """Note that so many of the bytes that are left were read from the connection."""
        self._left -= count
        self.done = self._left == 0

    def end(self) -> bool:
        """Note the end of the connection. Return True if the answer is whole."""
        if self.head is not None and not self.head.chunked and self.head.length == UNKNOWN:
            self.done = True
        return self.done

    def _chunks(self, data: bytes) -> list[bytes]:
        pieces: list[bytes] = []
        at, left = 0, self._left
        if self._rest:
            data, self._rest = self._rest + data, b""
        end = len(data)
        while True:
            if left:  # The chunk, and behind it the end of its line, which takes two of `left`.
                stop = at + left
                if at < min(end, stop - 2):
                    pieces.append(data[at : min(end, stop - 2)])
                if stop > end:
                    self._left = stop - end
                    if self._left == 1 and data[-1:] != b"\r":
                        raise Malformed("a chunk is longer than it says")
                    return pieces
                if data[max(at, stop - 2) : stop] != b"\r\n"[-left:]:
                    raise Malformed("a chunk is longer than it says")
                at, left = stop, 0
            if at == end:
                break
            line_end = data.find(b"\r\n", at)
            if line_end < 0:
                if end - at > MAX_LINE:
                    raise Malformed("the line before a chunk does not end")
                self._rest = data[at:]
                break
            line = data[at:line_end]
            at = line_end + 2
            if self._in_trailers:
                if not line:
                    self.done, self.excess = True, at < end
                    break
            else:
                size = _size(line)
                if size:
                    left = size + 2
                else:
                    self._in_trailers = True
        self._left = 0
        return pieces


def _size(line: bytes) -> int:
    """Return the size that the line before a chunk names, perhaps with extensions behind it."""
    if not _HEX.issuperset(line):  # `int` would take "0x5", "+5" and "1_0", too.
        line = line.partition(b";")[0].strip()
        if not _HEX.issuperset(line):
            line = b""
    try:
        return int(line, 16)
    except ValueError:
        raise Malformed(f"a chunk's size is {line[:40]!r}") from None
