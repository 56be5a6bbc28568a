"""What can go wrong for a caller (`DirtyError` and its subclasses) and inside an action.

The errors of a caller follow docs/errors.md of dirtyd: one class for each reason.
`DirtyError.code` is the name of the gRPC code, such as "UNAVAILABLE".
"""

from collections.abc import Mapping
from typing import Any

#: The reasons with which the arbiter says that no worker has seen the call. DRAINING with ABORTED is none of them: that
#: is told to a stream that goes on for too long in a worker that is to leave.
UNSTARTED = frozenset({"QUEUE_FULL", "QUEUE_TIMEOUT", "NO_WORKERS", "TOO_MANY_CONNECTIONS"})


class DirtyError(Exception):
    """A call failed. An attribute is None or empty if the arbiter has not sent it."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "UNKNOWN",
        reason: str = "",
        app: str | None = None,
        action: str | None = None,
        worker_pid: int | None = None,
        remote_type: str | None = None,
        remote_traceback: str | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        metadata: Mapping[str, str] | None = None,
        unsent: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.app = app
        self.action = action
        self.worker_pid = worker_pid
        #: The type of the exception that the app raised, such as "myapp.ml.ModelMissing".
        self.remote_type = remote_type
        #: The traceback in the worker.
        self.remote_traceback = remote_traceback
        #: The seconds after which a retry makes sense.
        self.retry_after = retry_after
        self.request_id = request_id
        #: More facts, including those that the app has added.
        self.metadata = dict(metadata or {})
        #: True if the action had certainly not started, so that another attempt cannot run it twice.
        self.is_safe_to_retry = unsent or reason in UNSTARTED or (reason, code) == ("DRAINING", "UNAVAILABLE")

    def __repr__(self) -> str:
        facts = {name: value for name, value in vars(self).items() if value and name != "remote_traceback"}
        facts.pop("message", None)
        listed = "".join(f", {name}={value!r}" for name, value in facts.items())
        return f"{type(self).__name__}({self.message!r}{listed})"

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call the class with only `args` and lose the rest.
        return type(self), (self.message,), vars(self)


class DirtyConnectionError(DirtyError):
    """The arbiter cannot be reached, or the connection broke during the call."""


class DirtyTimeoutError(DirtyError):
    """The caller's deadline or the app's timeout passed, in the queue or while the action ran.

    With the reason "NO_ANSWER": about a second after the deadline the arbiter had not answered.
    """


class DirtyCancelledError(DirtyError):
    """The call was cancelled."""


class DirtyAppError(DirtyError):
    """The action raised; see `remote_type` and `remote_traceback`."""


class DirtyAppNotFoundError(DirtyError):
    """The arbiter has no such app."""


class DirtyActionNotFoundError(DirtyError):
    """The app has no such action, or it is private."""


class DirtyActionStreamsError(DirtyError):
    """The action streams, and the caller used `execute`; use `stream`."""


class DirtyInvalidRequestError(DirtyError):
    """The request is malformed."""


class DirtyResultNotSerializableError(DirtyError):
    """The result of the action has no form as a Value."""


class DirtyMessageTooLargeError(DirtyError):
    """The request, the result or a chunk is larger than the arbiter allows."""


class DirtyQueueFullError(DirtyError):
    """The app's queue is full; see `retry_after`."""


class DirtyNoWorkersAvailableError(DirtyError):
    """No worker can serve the app: all of them failed to load it, or its pool is scaled to 0."""


class DirtyDrainingError(DirtyError):
    """The arbiter drains and had not started the call, so that a retry is safe.

    With the code ABORTED: a stream went on for too long in a worker that was to leave. It may have had effects.
    """


class DirtyWorkerCrashedError(DirtyError):
    """The worker died after the call had started."""


class AppError(Exception):
    """What an action raises to choose the gRPC code and the facts that its caller gets.

    `code` is the name or the number of a gRPC code, such as "NOT_FOUND". Any
    other exception can choose its code too, with an attribute `dirty_code`.
    """

    def __init__(self, message: str, code: str | int = "UNKNOWN", metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.dirty_code = code
        self.metadata = dict(metadata or {})


class ActionNotFound(LookupError):
    """What your own `__call__` raises for an action that the app does not have."""


class CallTimeout(Exception):
    """Raised inside an action that has run for the app's whole timeout.

    Clean up and let it pass, because the arbiter soon kills a worker whose call
    goes on. In a coroutine asyncio.CancelledError is raised instead.
    """


# The public place of these classes, which tracebacks and callers see.
for _public in (DirtyError, AppError, ActionNotFound, CallTimeout):
    _public.__module__ = "dirtyd"
