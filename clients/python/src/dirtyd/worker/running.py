"""One call inside the worker: its state, its cancellation, and its one terminal frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import TYPE_CHECKING, Any

from dirtyd._proto.dirty.worker.v1.worker_pb2 import (
    CANCEL_REASON_TIMEOUT,
    ERROR_KIND_CANCELLED,
    CancelReason,
    End,
    Error,
    ErrorKind,
    Failure,
    Request,
    WorkerFrame,
)
from dirtyd.call import Call
from dirtyd.worker.credit import Credit
from dirtyd.worker.link import CHUNK, RESPONSE, Link, Payload
from dirtyd.worker.wire import PlainRequest
from dirtyd.worker.wire_values import Data

if TYPE_CHECKING:
    from dirtyd.worker.interrupt import Guard


class Running:
    """A call from its Request to its terminal frame.

    The thread that runs the sync code of the call sets `guard`; the event loop
    that runs its task sets `cancel_task`.
    """

    __slots__ = (
        "_ended", "_link", "_on_end", "app", "cancel_task", "context", "credit", "guard", "id", "interrupted",
        "metadata", "payload", "payload_kind", "public", "seal", "streams", "timed_out",
    )  # fmt: skip

    def __init__(self, request: Request | PlainRequest, link: Link, on_end: Callable[[int], None]) -> None:
        self.id: int = request.call_id
        self.streams: bool = request.stream
        self.metadata: Sequence[Any] = request.metadata
        self.payload: Data = request.payload
        self.payload_kind: int = request.payload_kind
        deadline = time.monotonic() + request.timeout_micros / 1e6
        # In version 1 app and action are empty here; the payload names them.
        self.public = Call(request.app, request.action, request.request_id, deadline, self.metadata)
        self.credit = Credit(request.credit.chunks, request.credit.bytes) if self.streams else None
        #: Encodes a result or a chunk, named by the second argument. The codec sets it when it has read the request.
        self.seal: Callable[[Any, str], Payload]
        self.guard: Guard | None = None
        #: What the code of this call sets in its context, no other call sees.
        self.context: Context | None = None
        #: What was called for the action.
        self.app: Any = None
        self.cancel_task: Callable[[], None] | None = None
        self.timed_out = self.interrupted = self._ended = False
        self._link, self._on_end = link, on_end

    @property
    def name(self) -> str:
        return f"{self.public.app} {self.public.action}"

    @property
    def cancelled(self) -> bool:
        return self.public.cancelled

    def cancel(self, reason: CancelReason) -> None:
        """Act on a Cancel frame. A second one may be harder than the first."""
        if reason == CANCEL_REASON_TIMEOUT:
            self.timed_out = True
        self.public.cancel()
        if self.credit:
            self.credit.close()
        if self.cancel_task:
            self.cancel_task()
        if self.timed_out and self.guard:
            self.guard.interrupt(self)

    def chunk(self, payload: Payload) -> None:
        """Send one chunk. Its credit must have been taken."""
        self._link.send_payload(CHUNK, self.id, payload)

    def respond(self, payload: Payload) -> None:
        """End the call with its result."""
        self._finish(self._link.send_payload, RESPONSE, self.id, payload)

    def end(self) -> None:
        """End a stream that has succeeded."""
        self._finish(self._link.send, WorkerFrame(end=End(call_id=self.id)))

    def fail(self, kind: ErrorKind, failure: Failure) -> None:
        """End a call that has failed."""
        self._finish(self._link.send, WorkerFrame(error=Error(call_id=self.id, kind=kind, failure=failure)))

    def end_cancelled(self) -> None:
        """End the call because it was cancelled."""
        self.fail(ERROR_KIND_CANCELLED, Failure(message=f"{self.name} was cancelled".strip()))

    def _finish(self, send: Callable[..., None], *args: Any) -> None:
        # There is exactly one terminal frame, whatever goes wrong before or after it.
        if not self._ended:
            self._ended = True
            try:
                send(*args)
            finally:
                self._on_end(self.id)
