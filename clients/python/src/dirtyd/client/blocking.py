"""Calls that block their thread, or their greenlet.

The sockets are Python's own whatever has been patched. If gevent or eventlet has
replaced socket.socket by the time of a call, the call waits with `select`, which
they have replaced as well, so that other greenlets run.
"""

import errno
import importlib.util
import select
import socket
import time
from contextlib import suppress
from time import monotonic
from weakref import ref

from dirtyd.client import forks
from dirtyd.client.address import Socket, connect, new_socket
from dirtyd.client.connect import Chunks, Unary, is_unread, unary_result
from dirtyd.client.http1 import Head, Malformed, whole
from dirtyd.client.pool import TRIES, Pool
from dirtyd.client.status import broken, cancelled, never_read, unanswered

#: The bytes that are read at once.
SIZE = 64 * 1024
#: The seconds for which a connection must have rested to be looked at before its next call. Within them the daemon has
#: no reason to close it, and if it does, the call finds out just the same. A look costs a busy process more than a call
#: of the kernel: another thread takes the interpreter meanwhile.
LOOK_AFTER = 0.1
#: The seconds between two attempts to connect while the kernel lets no more callers wait.
CONNECT_AGAIN = 0.005
#: The seconds by which a wait may be longer than it should be, which saves a call of the kernel for each chunk.
SLACK = 0.05

# `select.poll` as it was before anybody replaced it, because a look does not wait. It comes with a module of its own.
_spec = importlib.util.find_spec("select")
assert _spec is not None
assert _spec.loader is not None
_select = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_select)


class Connection:
    """One connection, for one call at a time."""

    __slots__ = ("__weakref__", "_deadline", "_look", "_open", "_socket", "_timeout", "cancelled", "since")

    def __init__(self, pool: Pool["Connection"], path: str, seconds: float | None) -> None:
        self.since, self.cancelled = 0.0, False
        self._timeout: float | None = 0.0
        self._deadline = None if seconds is None else monotonic() + seconds
        self._open = pool.open
        with forks.guard:
            self._socket = new_socket()
            self._open[id(self)] = ref(self)
        try:
            while not connect(self._socket, path):
                if self._deadline is not None and monotonic() > self._deadline:
                    raise unanswered()
                time.sleep(CONNECT_AGAIN)
            self._look = _select.poll()
            self._look.register(self._socket.fileno(), select.POLLIN)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor, or -1 once it is closed."""
        return self._socket.fileno()

    def is_ready(self) -> bool:
        """Return True if nothing has come since the last call, not even the end."""
        return monotonic() - self.since < LOOK_AFTER or not self._look.poll(0)

    def begin(self, seconds: float | None) -> None:
        """Give the next call so many seconds; None for as long as it takes."""
        self._deadline = None if seconds is None else monotonic() + seconds
        self._set_timeout(seconds if issubclass(socket.socket, Socket) else 0.0)

    def _set_timeout(self, timeout: float | None) -> None:
        if timeout != self._timeout:
            self._socket.settimeout(timeout)
            self._timeout = timeout

    def send(self, data: bytes) -> bool:
        """Send a request. Return False if the arbiter has closed the connection, taken nothing, and said nothing.

        If it closes it later, the rest is not sent: there may be an answer.
        """
        sent = 0
        while True:
            try:
                if not sent:
                    sent = self._socket.send(data)
                while sent < len(data):
                    sent += self._socket.send(memoryview(data)[sent:])
                return True
            except BlockingIOError:
                self._wait(select.POLLOUT)
            except TimeoutError:
                raise unanswered() from None
            except OSError as error:
                if error.errno not in (errno.EPIPE, errno.ECONNRESET):
                    raise broken(error.strerror or str(error)) from None
                return sent > 0 or not self._has_ended()

    def _has_ended(self) -> bool:
        """Return True if the arbiter has closed the connection, and all it has said was read."""
        try:
            return bool(self._look.poll(0)) and not self._socket.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def receive(self) -> bytes:
        """Return the next bytes; none at the end."""
        while True:
            try:
                return self._socket.recv(SIZE)
            except BlockingIOError:
                self._wait(select.POLLIN)
            except TimeoutError:
                raise unanswered() from None
            except OSError as error:
                if error.errno == errno.ECONNRESET:
                    return b""
                raise broken(error.strerror or str(error)) from None

    def receive_into(self, room: memoryview) -> int:
        """Read into `room`; return the number of bytes, 0 at the end."""
        while True:
            try:
                return self._socket.recv_into(room)
            except BlockingIOError:
                self._wait(select.POLLIN)
            except TimeoutError:
                raise unanswered() from None
            except OSError as error:
                if error.errno == errno.ECONNRESET:
                    return 0
                raise broken(error.strerror or str(error)) from None

    def go_on(self) -> None:
        """Shorten the wait that follows to the time that is left. Raises Failed if there is none."""
        if self._deadline is not None and self._timeout != 0.0:
            left = self._deadline - monotonic()
            if left <= 0:
                raise unanswered()
            if self._timeout is None or self._timeout - left > SLACK:
                self._set_timeout(left)

    def _wait(self, event: int) -> None:
        """Wait as a greenlet does. Raises Failed when the time is over."""
        left = None if self._deadline is None else self._deadline - monotonic()
        if left is not None and left <= 0:
            raise unanswered()
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self._socket.fileno(), event)
            poll.poll(None if left is None else left * 1000)
        else:  # eventlet takes it away.
            reads = [self._socket.fileno()] if event == select.POLLIN else []
            writes = [] if reads else [self._socket.fileno()]
            select.select(reads, writes, [], left)

    def cancel(self) -> None:
        """End the call that uses the connection, from wherever."""
        self.cancelled = True
        with forks.guard, suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection, which cancels its call. Does nothing the second time."""
        with forks.guard:
            self._open.pop(id(self), None)
            self._socket.close()

    def __del__(self) -> None:
        with suppress(AttributeError):  # It never had a socket.
            self.close()


class Calls:
    """The calls of one client that block. Safe across threads and forks."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._pool: Pool[Connection] = Pool()

    def execute(self, request: bytes, seconds: float | None) -> bytes | bytearray:
        """Send a request and return the ExecuteResponse, as bytes. Raises Failed."""
        connection = self._pool.take()
        for _ in range(TRIES):
            if connection is None:
                connection = Connection(self._pool, self._path, seconds)
            answer = self._ask(connection, request, seconds)
            if answer is not None:
                return unary_result(*answer)
            connection = None
        raise never_read()

    def _ask(
        self, connection: Connection, request: bytes, seconds: float | None
    ) -> tuple[Head, bytes | bytearray] | None:
        """Return head and body of the answer; None if the arbiter has closed the connection without reading."""
        try:
            connection.begin(seconds)
            if not (connection.send(request) or connection.cancelled):
                connection.close()
                return None
            data = connection.receive()
            answer = whole(data)
            head, body, keeps = (*answer, answer[0].keep_alive) if answer else _gather(connection, data)
        except BaseException as error:
            connection.close()
            if connection.cancelled and isinstance(error, Exception):
                raise cancelled("the client was closed") from None
            if isinstance(error, Malformed):
                raise broken(str(error)) from None
            raise
        if keeps:
            self._pool.give(connection)
        else:
            connection.close()
        return None if is_unread(head) else (head, body)

    def stream(self, request: bytes, seconds: float | None) -> "Reading":
        """Send a request and return what reads its chunks. Raises Failed."""
        return Reading(self._pool, self._path, request, seconds)

    def close(self) -> None:
        """Close the connections, and end the calls that use them."""
        self._pool.close()


def _gather(connection: Connection, data: bytes) -> tuple[Head, bytes | bytearray, bool]:
    """Return head, body and whether the connection can serve another call, of an answer that begins with `data`."""
    unary = Unary()
    if not data:
        unary.end()
    whole = bool(data) and unary.feed(data)
    while not whole:
        connection.go_on()
        room = unary.room()
        if room is not None:
            count = connection.receive_into(room)
            whole = bool(count) and unary.filled(count)
        else:
            data = connection.receive()
            count = len(data)
            whole = bool(count) and unary.feed(data)
        if not count:
            unary.end()
            break
    return unary.result()


class Reading:
    """The chunks of one stream, for one thread at a time. Any thread can cancel it."""

    __slots__ = ("_chunks", "_connection", "_path", "_pool", "_request", "_seconds", "_tries")

    def __init__(self, pool: Pool[Connection], path: str, request: bytes, seconds: float | None) -> None:
        self._pool, self._path, self._request, self._seconds = pool, path, request, seconds
        self._tries = TRIES
        self._connection: Connection | None = None
        self._send(pool.take())

    def _send(self, connection: Connection | None = None) -> None:
        """Send the request, on a connection of its own unless one is given. Raises Failed."""
        while self._tries:
            self._tries -= 1
            self._chunks = Chunks()
            connection = self._connection = connection or Connection(self._pool, self._path, self._seconds)
            try:
                connection.begin(self._seconds)
                if connection.send(self._request) or connection.cancelled:
                    return
            except BaseException:
                self._leave(keeps=False)
                raise
            self._leave(keeps=False)
            connection = None
        raise never_read()

    def next(self) -> bytes | None:
        """Return the next ExecuteStreamResponse, as bytes; None at the end. Raises Failed."""
        while True:
            chunks = self._chunks
            if chunks.messages:
                return chunks.messages.popleft()
            if self._connection is None:
                if chunks.failure is not None:
                    raise chunks.failure
                return None
            self._read(self._connection)

    def _read(self, connection: Connection) -> None:
        """Take what comes next. Raises Failed."""
        chunks = self._chunks
        try:
            connection.go_on()
            data = connection.receive()
            if data:
                chunks.feed(data)
            else:
                chunks.end()
        except BaseException as error:
            self._leave(keeps=False)
            if connection.cancelled and isinstance(error, Exception):
                raise cancelled("the stream or its client was closed") from None
            if isinstance(error, Malformed):
                raise broken(str(error)) from None
            raise
        if not chunks.ended:
            return
        if connection.cancelled:
            chunks.failure = cancelled("the stream or its client was closed")
            self._leave(keeps=False)
        elif chunks.is_unread():
            self._leave(keeps=False)
            self._send()
        else:
            self._leave(chunks.keeps())

    def _leave(self, keeps: bool) -> None:
        """Leave the connection, which can serve another call if it `keeps`."""
        with forks.guard:
            connection, self._connection = self._connection, None
        if connection is None:
            return
        if keeps:
            self._pool.give(connection)
        else:
            connection.close()

    def cancel(self) -> None:
        """End the call, from wherever, unless it has ended. Its reader, if there is one, learns it."""
        with forks.guard:
            if self._connection is not None:
                self._connection.cancel()

    def close(self) -> None:
        """End the call, unless it has ended. Nobody may be reading it."""
        self._leave(keeps=False)
