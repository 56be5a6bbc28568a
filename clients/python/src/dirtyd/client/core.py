"""One client of the arbiter."""

import os
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dirtyd.client import forks
from dirtyd.client.address import default_socket_path
from dirtyd.client.attempts import Attempts
from dirtyd.client.blocking import Calls, Reading
from dirtyd.client.connect import metadata_lines, stream_request, unary_request
from dirtyd.client.deadline import patience
from dirtyd.client.messages import request, result
from dirtyd.client.status import Failed, to_dirty_error
from dirtyd.client.streams import Stream
from dirtyd.errors import DirtyError

if TYPE_CHECKING:
    from dirtyd.client.async_streams import AsyncStream
    from dirtyd.client.evented import AsyncCalls
    from dirtyd.client.evented import Reading as AsyncReading

Metadata = Mapping[str, str | bytes]


class DirtyClient:
    """Calls actions of apps. Make one and share it: it is safe across threads, event loops and forks.

    The socket is `socket_path`, or else $DIRTYD_SOCKET, or else the default of
    the daemon for this user: $XDG_RUNTIME_DIR/dirtyd/dirtyd.sock; for root
    /run/dirtyd/dirtyd.sock; otherwise ~/.local/state/dirtyd/run/dirtyd.sock.

    `timeout` is in seconds and bounds a whole call, including its stream.
    Without one only the arbiter's timeout holds. The arbiter ends the call; if it
    does not answer, the call fails a second later with DirtyTimeoutError, reason
    "NO_ANSWER".

    `metadata` goes to the action, which finds it in current_call().metadata; keys
    that end with "-bin" carry bytes. `retries` is the number of times that the client
    repeats a call which has certainly not started (`DirtyError.is_safe_to_retry`).
    It waits for as long as the arbiter asks, or 50 ms, then twice as long each time,
    at most 2 s, less a random part, and within `timeout`. A stream is repeated only
    before its first chunk.

    The first call opens the connection. If the connection is lost, the next call
    opens it again.
    """

    def __init__(
        self,
        socket_path: str | os.PathLike[str] | None = None,
        *,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        retries: int = 0,
    ) -> None:
        self._path = os.path.abspath(socket_path or default_socket_path())
        self._calls = Calls(self._path)
        self._loops: list[AsyncCalls] = []  # The async side, once something has used it. All views share it.
        self._timeout = timeout
        self._retries = retries
        self._metadata = metadata_lines((metadata or {}).items())

    def __repr__(self) -> str:
        return f"DirtyClient({self.socket_path!r}, timeout={self._timeout!r})"

    @property
    def socket_path(self) -> str:
        """The path of the arbiter's socket."""
        return self._path

    def with_options(
        self, *, timeout: float | None = None, metadata: Metadata | None = None, retries: int | None = None
    ) -> "DirtyClient":
        """Return a view of this client with other settings and more metadata. It shares the connections."""
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        if timeout is not None:
            view._timeout = timeout
        if retries is not None:
            view._retries = retries
        if metadata:
            view._metadata += metadata_lines(metadata.items())
        return view

    #: The short name, for `client.options(timeout=5).execute(...)`. Options stand apart from the action's arguments.
    options = with_options

    def execute(self, app_path: str, action: str, /, *args: Any, **kwargs: Any) -> Any:
        """Run an action and return its result.

        Raises DirtyError; TypeError or ValueError for an argument that has no form as a Value.
        """
        body, attempts = request(app_path, action, args, kwargs), Attempts(self._timeout, self._retries)
        while True:
            try:
                timeout = attempts.timeout()
                told = unary_request(body, self._metadata, timeout)
                return result(self._calls.execute(told, patience(timeout)))
            except Failed as failed:
                failure = self._translate(failed, app_path, action)
            pause = attempts.pause(failure)
            if pause is None:
                raise failure
            time.sleep(pause)

    def stream(self, app_path: str, action: str, /, *args: Any, **kwargs: Any) -> Stream:
        """Run an action and return an iterator over its chunks. The iterator raises DirtyError."""
        body = request(app_path, action, args, kwargs)

        def start(timeout: float | None) -> Reading:
            return self._calls.stream(stream_request(body, self._metadata, timeout), patience(timeout))

        def translate(failed: Failed) -> DirtyError:
            return self._translate(failed, app_path, action)

        return Stream(start, translate, Attempts(self._timeout, self._retries))

    async def execute_async(self, app_path: str, action: str, /, *args: Any, **kwargs: Any) -> Any:
        """Run an action and return its result. Cancelling the task cancels the action."""
        body, attempts = request(app_path, action, args, kwargs), Attempts(self._timeout, self._retries)
        calls = self._async_calls()
        while True:
            try:
                timeout = attempts.timeout()
                told = unary_request(body, self._metadata, timeout)
                return result(await calls.execute(told, patience(timeout)))
            except Failed as failed:
                failure = self._translate(failed, app_path, action)
            pause = attempts.pause(failure)
            if pause is None:
                raise failure
            await calls.sleep(pause)

    def stream_async(self, app_path: str, action: str, /, *args: Any, **kwargs: Any) -> "AsyncStream":
        """Run an action and return an async iterator over its chunks. Call this on the event loop."""
        body, calls = request(app_path, action, args, kwargs), self._async_calls()
        from dirtyd.client.async_streams import AsyncStream

        def start(timeout: float | None) -> "AsyncReading":
            return calls.stream(stream_request(body, self._metadata, timeout), patience(timeout))

        def translate(failed: Failed) -> DirtyError:
            return self._translate(failed, app_path, action)

        return AsyncStream(start, translate, Attempts(self._timeout, self._retries))

    def close(self) -> None:
        """Close the connections of this process, which ends its calls. A later call opens another."""
        self._calls.close()

    async def close_async(self) -> None:
        """Close the connections of the running event loop, which ends its calls. A later call opens another."""
        for calls in self._loops:
            calls.close()

    def __enter__(self) -> "DirtyClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> "DirtyClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close_async()

    def _async_calls(self) -> "AsyncCalls":
        if not self._loops:
            with forks.importing:
                # They import asyncio, which is large and which many processes never use.
                from dirtyd.client import async_streams, evented  # noqa: F401

            self._loops.append(evented.AsyncCalls(self._path))
        return self._loops[0]

    def _translate(self, failed: Failed, app: str, action: str) -> DirtyError:
        return to_dirty_error(failed, app, action, self._path)
