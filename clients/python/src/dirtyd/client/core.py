"""One client of the arbiter."""

import asyncio
import os
import time
from collections.abc import Mapping
from copy import copy
from functools import partial
from types import TracebackType
from typing import Any

import grpc

from dirtyd._proto.dirty.v1.arbiter_pb2 import ExecuteRequest
from dirtyd.client.attempts import Attempts
from dirtyd.client.channels import Channels
from dirtyd.client.deadline import options
from dirtyd.client.status import to_dirty_error
from dirtyd.client.streams import AsyncStream, Stream, Translate
from dirtyd.values import decode, encode

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
        self._channels = Channels(socket_path)
        self._timeout = timeout
        self._retries = retries
        self._metadata = tuple((metadata or {}).items())

    def __repr__(self) -> str:
        return f"DirtyClient({self.socket_path!r}, timeout={self._timeout!r})"

    @property
    def socket_path(self) -> str:
        """The path of the arbiter's socket."""
        return self._channels.socket_path

    def with_options(
        self, *, timeout: float | None = None, metadata: Metadata | None = None, retries: int | None = None
    ) -> "DirtyClient":
        """Return a view of this client with other settings and more metadata. It is cheap: it shares the connection."""
        view = copy(self)
        if timeout is not None:
            view._timeout = timeout
        if retries is not None:
            view._retries = retries
        view._metadata += tuple((metadata or {}).items())
        return view

    #: The short name, for `client.options(timeout=5).execute(...)`. Options stand apart from the action's arguments.
    options = with_options

    def execute(self, app_path: str, action: str, /, *args: Any, **kwargs: Any) -> Any:
        """Run an action and return its result.

        Raises DirtyError; TypeError or ValueError for an argument that has no form as a Value.
        """
        request, attempts = _request(app_path, action, args, kwargs), self._attempts()
        while True:
            try:
                call = self._channels.sync().execute
                return decode(call(request, **options(attempts.timeout(), self._metadata)).result)
            except grpc.RpcError as error:
                failure = self._translate(app_path, action)(error)
            pause = attempts.pause(failure)
            if pause is None:
                raise failure
            time.sleep(pause)

    def stream(self, app_path: str, action: str, /, *args: Any, **kwargs: Any) -> Stream:
        """Run an action and return an iterator over its chunks. The iterator raises DirtyError."""
        request = _request(app_path, action, args, kwargs)

        def start(timeout: float | None) -> Any:
            return self._channels.sync().stream(request, **options(timeout, self._metadata))

        return Stream(start, self._translate(app_path, action), self._attempts())

    async def execute_async(self, app_path: str, action: str, /, *args: Any, **kwargs: Any) -> Any:
        """Run an action and return its result. Cancelling the task cancels the action."""
        request, attempts = _request(app_path, action, args, kwargs), self._attempts()
        while True:
            try:
                call = self._channels.of_loop().execute
                return decode((await call(request, **options(attempts.timeout(), self._metadata))).result)
            except grpc.RpcError as error:
                failure = self._translate(app_path, action)(error)
            pause = attempts.pause(failure)
            if pause is None:
                raise failure
            await asyncio.sleep(pause)

    def stream_async(self, app_path: str, action: str, /, *args: Any, **kwargs: Any) -> AsyncStream:
        """Run an action and return an async iterator over its chunks. Call this on the event loop."""
        request = _request(app_path, action, args, kwargs)

        def start(timeout: float | None) -> Any:
            return self._channels.of_loop().stream(request, **options(timeout, self._metadata))

        return AsyncStream(start, self._translate(app_path, action), self._attempts())

    def close(self) -> None:
        """Close the connection of this process. A later call opens another."""
        self._channels.close()

    async def close_async(self) -> None:
        """Close the connection of the running event loop. A later call opens another."""
        await self._channels.close_async()

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

    def _attempts(self) -> Attempts:
        return Attempts(self._timeout, self._retries)

    def _translate(self, app: str, action: str) -> Translate:
        return partial(to_dirty_error, app=app, action=action, socket_path=self.socket_path)


def _request(app: str, action: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ExecuteRequest:
    request = ExecuteRequest(app=app, action=action)
    for index, value in enumerate(args):
        encode(value, request.args.add(), f"args[{index}]")
    for name, value in kwargs.items():
        encode(value, request.kwargs[name], name)
    return request
