"""How a call failed, as DirtyError: by the reason that the arbiter sends, or else by the code."""

from binascii import a2b_base64
from collections.abc import Iterable
from typing import Any

from dirtyd import errors
from dirtyd._proto.dirtyd.status_pb2 import DebugInfo, ErrorInfo, RetryInfo

DOMAIN = "dirty.v1"

#: The client's own reason: the deadline passed, and the arbiter has said nothing.
NO_ANSWER = "NO_ANSWER"

BY_REASON: dict[str, type[errors.DirtyError]] = {
    "APP_NOT_FOUND": errors.DirtyAppNotFoundError,
    "ACTION_NOT_FOUND": errors.DirtyActionNotFoundError,
    "INVALID_REQUEST": errors.DirtyInvalidRequestError,
    "APP_ERROR": errors.DirtyAppError,
    "RESULT_NOT_SERIALIZABLE": errors.DirtyResultNotSerializableError,
    "ACTION_STREAMS": errors.DirtyActionStreamsError,
    "QUEUE_FULL": errors.DirtyQueueFullError,
    "MESSAGE_TOO_LARGE": errors.DirtyMessageTooLargeError,
    "QUEUE_TIMEOUT": errors.DirtyTimeoutError,
    "EXECUTION_TIMEOUT": errors.DirtyTimeoutError,
    "NO_WORKERS": errors.DirtyNoWorkersAvailableError,
    "WORKER_CRASHED": errors.DirtyWorkerCrashedError,
    "DRAINING": errors.DirtyDrainingError,
    "CANCELLED": errors.DirtyCancelledError,
}

# An error without details comes from this side, or from somebody on the way.
BY_CODE: dict[str, type[errors.DirtyError]] = {
    "UNAVAILABLE": errors.DirtyConnectionError,
    "DEADLINE_EXCEEDED": errors.DirtyTimeoutError,
    "CANCELLED": errors.DirtyCancelledError,
}


class Failed(Exception):
    """How a call failed: gRPC's name of the code, a message, and the details of Connect."""

    def __init__(self, code: str, message: str, details: Iterable[Any] = (), *, unsent: bool = False) -> None:
        super().__init__(code, message)
        self.code, self.message, self.details, self.unsent = code, message, details, unsent


def unreachable(why: str) -> Failed:
    """Return the failure of a call that found no arbiter."""
    return Failed("UNAVAILABLE", why, unsent=True)


def broken(why: str) -> Failed:
    """Return the failure of a call that lost its connection."""
    return Failed("UNAVAILABLE", why)


def never_read() -> Failed:
    """Return the failure of a call whose request the arbiter has not read on any connection."""
    return Failed("UNAVAILABLE", "it closes each connection without reading a request", unsent=True)


def unanswered() -> Failed:
    """Return the failure of a call whose deadline and grace have passed."""
    return Failed("DEADLINE_EXCEEDED", "")


def cancelled(why: str) -> Failed:
    """Return the failure of a call that its own side has ended."""
    return Failed("CANCELLED", why)


def to_dirty_error(failed: Failed, app: str, action: str, socket_path: str) -> errors.DirtyError:
    """Return the DirtyError for a failed call of `action` of `app`."""
    code = failed.code
    known, facts = _details(failed.details)
    message = failed.message or code
    reason = known.pop("reason", "") or (NO_ANSWER if code == "DEADLINE_EXCEEDED" else "")
    if reason == NO_ANSWER:
        message = "dirtyd did not answer by the deadline, nor in the second after it"
    kind = BY_REASON.get(reason) or BY_CODE.get(code, errors.DirtyError)
    if kind is errors.DirtyConnectionError:
        facts["unsent"] = failed.unsent
        if failed.unsent:
            message = f"cannot reach dirtyd at {socket_path}: {message}; {_remedy(message)}"
        else:
            message = f"the connection to dirtyd at {socket_path} broke during the call: {message}"
    metadata = known.pop("metadata", {})
    return kind(
        message,
        code=code,
        reason=reason,
        app=metadata.pop("app", app),
        action=metadata.pop("action", action),
        worker_pid=_number(metadata.pop("worker_pid", "")),
        remote_type=metadata.pop("exception_type", None),
        request_id=metadata.pop("request_id", None),
        metadata=metadata,
        **facts,
    )


def _details(details: Iterable[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return reason and metadata of the ErrorInfo of our domain, and the facts of RetryInfo and DebugInfo."""
    known, facts = dict[str, Any](), dict[str, Any]()
    if not details:
        return known, facts
    try:
        for detail in details:
            value = detail["value"].encode()
            data = a2b_base64(value + b"=" * (-len(value) % 4))
            match detail["type"]:
                case "google.rpc.ErrorInfo":
                    info = ErrorInfo.FromString(data)
                    if info.domain == DOMAIN:
                        known = {"reason": info.reason, "metadata": dict(info.metadata)}
                case "google.rpc.RetryInfo":
                    delay = RetryInfo.FromString(data).retry_delay
                    facts["retry_after"] = delay.seconds + delay.nanos / 1e9
                case "google.rpc.DebugInfo":
                    debug = DebugInfo.FromString(data)
                    facts["remote_traceback"] = "\n".join(debug.stack_entries) or debug.detail
    except Exception:  # Malformed details must not hide the error to which they belong.
        return {}, {}
    return known, facts


def _remedy(why: str) -> str:
    if "ermission denied" in why:
        return "this user may not open the socket; socket_mode and socket_group say who may"
    return "is dirtyd running? start it with `dirtyd serve`"


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None
