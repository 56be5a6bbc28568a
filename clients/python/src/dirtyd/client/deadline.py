"""The caller's deadline: what the arbiter is told of it, and the end of a call that it does not answer.

grpcio writes `grpc-timeout` itself for a call with a `timeout`, and its timer then ends the call before the arbiter
has answered. So calls have none: the header is metadata, and the timers are here.
"""

import asyncio
import math
import threading
from typing import Any

import grpc

#: The seconds for which a call waits longer than its deadline for the arbiter, which knows what became of it.
GRACE = 1.0
#: grpcio rounds the header up to three digits.
ROUNDING = 0.01
#: The header has at most eight digits.
MOST = 99_999_999

Metadata = tuple[tuple[str, str | bytes], ...]


class Unanswered(grpc.RpcError):
    """The arbiter has not answered in time. It looks like the DEADLINE_EXCEEDED of grpcio."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.DEADLINE_EXCEEDED

    def details(self) -> str:
        return ""

    def trailing_metadata(self) -> tuple[Any, ...]:
        return ()


def header(timeout: float) -> str:
    """Return the value of `grpc-timeout` for a number of seconds."""
    if timeout * 1000 <= MOST:
        return f"{max(1, math.ceil(timeout * 1000))}m"
    return f"{math.ceil(min(timeout, MOST))}S"


def _told(metadata: Metadata, timeout: float | None) -> Metadata:
    return metadata if timeout is None else (*metadata, ("grpc-timeout", header(timeout)))


def _patience(timeout: float) -> float:
    return min(timeout * (1 + ROUNDING), threading.TIMEOUT_MAX / 2) + GRACE


def execute(method: Any, request: Any, metadata: Metadata, timeout: float | None) -> Any:
    """Make a call and return its response. Raises grpc.RpcError."""
    if timeout is None:
        return method(request, metadata=metadata)
    call = method.future(request, metadata=_told(metadata, timeout))  # A blocking call could not be cancelled.
    try:
        return call.result(_patience(timeout))
    except grpc.FutureTimeoutError:
        raise Unanswered from None
    finally:
        call.cancel()  # Without effect on a call that has ended.


async def execute_async(method: Any, request: Any, metadata: Metadata, timeout: float | None) -> Any:
    """The async twin of execute."""
    call = method(request, metadata=_told(metadata, timeout))
    timer = _AsyncTimer(call, timeout)
    try:
        return await call
    except asyncio.CancelledError:
        timer.check()
        raise
    finally:
        timer.cancel()


class Chunks:
    """The responses of a streaming call."""

    def __init__(self, method: Any, request: Any, metadata: Metadata, timeout: float | None) -> None:
        self._call = method(request, metadata=_told(metadata, timeout))
        self._late = False
        self._timer: threading.Timer | None = None
        if timeout is not None:
            # A thread of its own: grpcio can wait for the end of a stream, but not for its next response, for so long.
            self._timer = threading.Timer(_patience(timeout), self._expire)
            self._timer.daemon = True
            self._timer.start()

    def _expire(self) -> None:
        self._late = True
        self._call.cancel()

    def __next__(self) -> Any:
        try:
            return next(self._call)
        except BaseException as error:
            self._stop()
            if self._late and isinstance(error, grpc.RpcError) and error.code() is grpc.StatusCode.CANCELLED:
                raise Unanswered from None
            raise

    def cancel(self) -> None:
        """End the call, unless it has ended."""
        self._stop()
        self._call.cancel()

    def _stop(self) -> None:
        if self._timer:
            self._timer.cancel()


class AsyncChunks:
    """The async twin of Chunks."""

    def __init__(self, method: Any, request: Any, metadata: Metadata, timeout: float | None) -> None:
        self._call = method(request, metadata=_told(metadata, timeout))
        self._timer = _AsyncTimer(self._call, timeout)
        self._responses = aiter(self._call)

    async def __anext__(self) -> Any:
        try:
            return await anext(self._responses)
        except BaseException as error:
            self._timer.cancel()
            if isinstance(error, asyncio.CancelledError):
                self._timer.check()
            raise

    def cancel(self) -> None:
        """End the call, unless it has ended."""
        self._timer.cancel()
        self._call.cancel()


class _AsyncTimer:
    """Ends a call of the running event loop that the arbiter does not answer."""

    def __init__(self, call: Any, timeout: float | None) -> None:
        self._call, self._late = call, False
        self._handle: asyncio.TimerHandle | None = None
        if timeout is not None:
            self._handle = asyncio.get_running_loop().call_later(_patience(timeout), self._expire)

    def _expire(self) -> None:
        self._late = self._call.cancel()

    def check(self) -> None:
        """Raise Unanswered if it was this timer that has cancelled the call."""
        if self._late:
            raise Unanswered from None

    def cancel(self) -> None:
        if self._handle:
            self._handle.cancel()
