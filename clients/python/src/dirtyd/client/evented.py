"""Calls on an event loop of asyncio.

A connection is a socket that the loop watches, without a transport: so it can be
closed at once, from wherever, even when its loop has ended. It is opened at once
as well, because the socket is local.
"""

import asyncio
import errno
from asyncio import AbstractEventLoop, Future, TimerHandle, get_running_loop
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from socket import MSG_PEEK
from time import monotonic
from weakref import WeakKeyDictionary, ref

from dirtyd.client import forks
from dirtyd.client.address import connect, new_socket
from dirtyd.client.blocking import CONNECT_AGAIN, SIZE
from dirtyd.client.connect import Chunks, Unary, is_unread, unary_result
from dirtyd.client.http1 import Head, Malformed, whole
from dirtyd.client.pool import TRIES, Pool
from dirtyd.client.status import Failed, broken, cancelled, never_read, unanswered

#: So many bytes may wait for the reader of a stream. Then no more are read, so that the action pauses.
UNREAD = 64 * 1024

Loop = AbstractEventLoop
#: Head, body, and whether the connection can serve another call.
Answered = tuple[Head, bytes | bytearray, bool]


class Connection:
    """One connection of one loop, for one call at a time."""

    __slots__ = (
        "__weakref__", "_generation", "_loop", "_open", "_pool", "_reader", "_socket", "_unary", "_unsent", "_waiter",
        "_watched", "since",
    )  # fmt: skip

    def __init__(self, pool: "LoopPool", loop: Loop) -> None:
        self.since, self._generation = 0.0, forks.generation
        # The loop knows a connection that it watches. If that knew the loop and the pool, none would ever be freed.
        self._loop, self._pool, self._open = ref(loop), ref(pool), pool.open
        self._unary: Unary | None = None
        self._waiter: Future[Answered | Failed] | None = None
        self._reader: Reading | None = None
        self._unsent = memoryview(b"")
        self._watched = False
        with forks.guard:
            self._socket = new_socket()
            self._open[id(self)] = ref(self)

    def connect(self, path: str) -> bool:
        """Connect. Return False if it has to be tried again later. Raises Failed."""
        if self.fileno() < 0:
            raise cancelled("the client was closed")
        if not connect(self._socket, path):
            return False
        self.watch()
        return True

    def watch(self) -> None:
        """Read what comes."""
        loop = self._loop()
        if loop is not None and not self._watched and self.fileno() >= 0:
            loop.add_reader(self.fileno(), self._readable)
            self._watched = True

    def pause(self) -> None:
        """Leave what comes in the socket."""
        loop = self._loop()
        if loop is not None and self._watched:
            loop.remove_reader(self.fileno())
            self._watched = False

    def fileno(self) -> int:
        """Return the descriptor, or -1 once it is closed."""
        return self._socket.fileno()

    def is_ready(self) -> bool:
        """Return True if nothing has come since the last call: the loop would have told."""
        return self.fileno() >= 0

    def send(self, data: bytes) -> bool:
        """Send a request. Return False if the arbiter has closed the connection, taken nothing, and said nothing."""
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.ECONNRESET):
                return not self._has_ended()
            raise broken(error.strerror or str(error)) from None
        if sent < len(data):
            self._unsent = memoryview(data)[sent:]
            get_running_loop().add_writer(self.fileno(), self._writable)
        return True

    def _has_ended(self) -> bool:
        """Return True if the arbiter has closed the connection, and all it has said was read."""
        try:
            return not self._socket.recv(1, MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _writable(self) -> None:
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError:  # The arbiter takes no more. Its answer may be there.
            get_running_loop().remove_writer(self.fileno())
        else:
            if not self._unsent:
                get_running_loop().remove_writer(self.fileno())

    async def ask(self, loop: Loop, request: bytes, seconds: float | None) -> Answered | None:
        """Send a request and return the answer. Return None if the arbiter has not read the request. Raises Failed."""
        waiter: Future[Answered | Failed] = loop.create_future()
        self._waiter = waiter
        timer = None if seconds is None else loop.call_later(seconds, _time_out, waiter)
        try:
            if not self.send(request):
                self.close()
                return None
            answer = await waiter
        except BaseException:
            self.close()
            raise
        finally:
            self._waiter = self._unary = None
            if timer is not None:
                timer.cancel()
        if isinstance(answer, Failed):
            self.close()
            raise answer
        head, body, keeps = answer
        if is_unread(head):
            self.close()
            return None
        return head, body, keeps and not self._unsent

    def begin_stream(self, reader: "Reading", request: bytes) -> bool:
        """Send a request whose answer goes to `reader`. Return False if the arbiter had closed the connection."""
        self._reader = reader
        return self.send(request)

    def end_stream(self) -> bool:
        """Note that the answer has come. Return True if the request was sent as well."""
        self._reader = None
        return not self._unsent

    def _readable(self) -> None:
        reader, waiter = self._reader, self._waiter
        if reader is not None:
            try:
                reader.take(self._socket.recv(SIZE))
            except BlockingIOError:
                pass
            except OSError:
                reader.take(b"")
        elif waiter is None:  # The end of a connection that rests, or bytes that nobody has asked for.
            pool = self._pool()
            if pool is not None:
                pool.drop(self)
            self.close()
        elif not waiter.done():  # It is done if the task is cancelled and has still to run.
            try:
                answer = self._read_unary()
            except BlockingIOError:
                pass
            except Failed as failed:
                waiter.set_result(failed)
            except Malformed as malformed:
                waiter.set_result(broken(str(malformed)))
            else:
                if answer is not None:
                    waiter.set_result(answer)

    def _read_unary(self) -> Answered | None:
        """Return the answer once it is whole. Raises Failed, Malformed or BlockingIOError."""
        unary = self._unary
        room = None if unary is None else unary.room()
        try:
            if room is not None:
                count, data = self._socket.recv_into(room), b""
            else:
                data = self._socket.recv(SIZE)
                count = len(data)
        except BlockingIOError:
            raise
        except OSError:
            count, data = 0, b""
        if unary is None:
            if (answer := whole(data)) is not None:
                return *answer, answer[0].keep_alive
            unary = self._unary = Unary()
        if not count:
            unary.end()
        elif not (unary.feed(data) if room is None else unary.filled(count)):
            return None
        return unary.result()

    def cancel(self) -> None:
        """End the call that uses the connection, and tell it."""
        failed = cancelled("the client was closed")
        if self._reader is not None:
            self._reader.fail(failed)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(failed)
        self.close()

    def close(self) -> None:
        """Close the connection, which cancels its call. Does nothing the second time."""
        if self.fileno() < 0:
            return
        loop = self._loop()
        # A forked child shares the loop's descriptors with its parent.
        if loop is not None and not loop.is_closed() and self._generation == forks.generation:
            if self._watched:
                loop.remove_reader(self.fileno())
            if self._unsent:
                loop.remove_writer(self.fileno())
        self._watched = False
        with forks.guard:
            self._open.pop(id(self), None)
            self._socket.close()

    def __del__(self) -> None:
        with suppress(AttributeError):  # It never had a socket.
            self.close()


def _time_out(waiter: Future[Answered | Failed]) -> None:
    if not waiter.done():
        waiter.set_result(unanswered())


class LoopPool(Pool[Connection]):
    """The connections of one loop. They end with it, or with their client."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = ref(loop)
        self._guard = _until_the_loop_ends(ref(self))
        with suppress(StopIteration):
            self._guard.__anext__().send(None)  # Runs up to its `yield`. From there the loop knows it.

    def __del__(self) -> None:
        for connection in self._resting:
            on_loop(self._loop(), connection.close)


async def _until_the_loop_ends(known: "ref[LoopPool]") -> AsyncGenerator[None, None]:
    """Close the connections when the loop closes its generators, which is the last that it does."""
    try:
        yield
    finally:
        pool = known()
        if pool is not None:
            pool.close()


def on_loop(loop: Loop | None, callback: Callable[[], object]) -> None:
    """Call what touches a loop on this loop; at once if it is the running one, or has ended."""
    if loop is not None and not loop.is_closed() and asyncio._get_running_loop() is not loop:
        with suppress(RuntimeError):  # It has just been closed.
            loop.call_soon_threadsafe(callback)
            return
    callback()


class AsyncCalls:
    """The calls of one client on event loops. Safe across loops, threads and forks."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._by_loop: WeakKeyDictionary[Loop, LoopPool] = WeakKeyDictionary()

    def _pool(self, loop: Loop) -> LoopPool:
        pool = self._by_loop.get(loop)
        if pool is None:
            self._sweep()
            pool = self._by_loop[loop] = LoopPool(loop)
        return pool

    def _sweep(self) -> None:
        """Close what loops have left that were closed without closing their generators."""
        for known in self._by_loop.keyrefs():
            loop = known()
            if loop is not None and loop.is_closed():
                pool = self._by_loop.pop(loop, None)
                if pool is not None:
                    pool.close()

    async def execute(self, request: bytes, seconds: float | None) -> bytes | bytearray:
        """Send a request and return the ExecuteResponse, as bytes. Raises Failed."""
        loop = get_running_loop()
        pool = self._by_loop.get(loop) or self._pool(loop)
        connection = pool.take()
        for _ in range(TRIES):
            if connection is None:
                connection = await self._connect(loop, pool, seconds)
            answer = await connection.ask(loop, request, seconds)
            if answer is not None:
                head, body, keeps = answer
                if keeps:
                    pool.give(connection)
                else:
                    connection.close()
                return unary_result(head, body)
            connection = None
        raise never_read()

    async def _connect(self, loop: Loop, pool: LoopPool, seconds: float | None) -> Connection:
        """Return a new connection. Raises Failed."""
        connection = Connection(pool, loop)
        end = None if seconds is None else monotonic() + seconds
        try:
            while not connection.connect(self._path):
                if end is not None and monotonic() > end:
                    raise unanswered()
                await asyncio.sleep(CONNECT_AGAIN)
        except BaseException:
            connection.close()
            raise
        return connection

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def stream(self, request: bytes, seconds: float | None) -> "Reading":
        """Send a request, on the running loop, and return what reads its chunks. Raises Failed."""
        loop = get_running_loop()
        return Reading(loop, self._pool(loop), self._path, request, seconds)

    def close(self) -> None:
        """Close the connections of the running loop, and end the calls that use them."""
        pool = self._by_loop.get(get_running_loop())
        if pool is not None:
            pool.close()


class Reading:
    """The chunks of one stream, for one task at a time."""

    def __init__(self, loop: Loop, pool: LoopPool, path: str, request: bytes, seconds: float | None) -> None:
        self._loop, self._pool, self._path, self._request = loop, pool, path, request
        self._chunks = Chunks()
        self._waiter: Future[None] | None = None
        self._paused, self._tries = False, TRIES
        self._connection: Connection | None = None
        self._again: TimerHandle | None = None
        self._limit = None if seconds is None else loop.call_later(seconds, self._time_out)
        self._send(pool.take())

    def _send(self, connection: Connection | None = None) -> None:
        """Send the request, on a connection of its own unless one is given."""
        try:
            while self._tries:
                self._chunks = Chunks()
                self._connection = connection or Connection(self._pool, self._loop)
                if connection is None and not self._connection.connect(self._path):
                    self._again = self._loop.call_later(CONNECT_AGAIN, self._connect)
                    return
                self._tries -= 1
                if self._connection.begin_stream(self, self._request):
                    return
                self._leave(keeps=False)
                connection = None
            self.fail(never_read())
        except Failed as failed:
            self.fail(failed)

    def _connect(self) -> None:
        """Try once more to connect."""
        connection = self._connection
        if connection is None:
            return
        try:
            if connection.connect(self._path):
                self._send(connection)
            else:
                self._again = self._loop.call_later(CONNECT_AGAIN, self._connect)
        except Failed as failed:
            self.fail(failed)

    def _time_out(self) -> None:
        self.fail(unanswered())

    def take(self, data: bytes) -> None:
        """Take what has come; nothing at the end of the connection."""
        chunks, connection = self._chunks, self._connection
        assert connection is not None
        try:
            if data:
                chunks.feed(data)
            else:
                chunks.end()
        except Malformed as malformed:
            self.fail(broken(str(malformed)))
            return
        if chunks.ended:
            if chunks.is_unread():
                self._leave(keeps=False)
                self._send()
                return
            self._leave(chunks.keeps())
            self._has_ended()
        elif chunks.size > UNREAD and chunks.messages:
            self._paused = True
            connection.pause()
        if chunks.messages:
            self._wake()

    def fail(self, failed: Failed) -> None:
        """End the stream. What has come before can still be read."""
        self._leave(keeps=False)
        self._chunks.ended, self._chunks.failure = True, failed
        self._has_ended()

    async def next(self) -> bytes | None:
        """Return the next ExecuteStreamResponse, as bytes; None at the end. Raises Failed."""
        while True:
            chunks = self._chunks
            if chunks.messages:
                message = chunks.messages.popleft()
                if not chunks.messages:
                    chunks.size = 0
                    if self._paused and self._connection is not None:
                        self._paused = False
                        self._connection.watch()
                return message
            if chunks.ended:
                if chunks.failure is not None:
                    raise chunks.failure
                return None
            if self._waiter is not None:
                raise RuntimeError("another task is reading this stream")
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            except BaseException:
                self.close()
                raise
            finally:
                self._waiter = None

    def _has_ended(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _leave(self, keeps: bool) -> None:
        """Leave the connection, which can serve another call if it `keeps`."""
        if self._again is not None:
            self._again.cancel()
        connection, self._connection = self._connection, None
        if connection is None:
            return
        sent = connection.end_stream()
        if keeps and sent:
            self._pool.give(connection)
        else:
            connection.close()

    def close(self) -> None:
        """End the call, unless it has ended. What has come is not read any longer. On the loop only."""
        self._leave(keeps=False)
        self._chunks.messages.clear()
        self._chunks.ended = True
        self._has_ended()

    def drop(self) -> None:
        """End the call from wherever."""
        if self._connection is not None:
            on_loop(self._loop, self.close)
