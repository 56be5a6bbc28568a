"""gRPC errors as DirtyError: by the reason that the arbiter sends, or else by the code."""

from collections.abc import Iterable
from typing import Any

from dirtyd import errors
from dirtyd._proto.dirtyd.status_pb2 import DebugInfo, ErrorInfo, RetryInfo, Status

DOMAIN = "dirty.v1"
DETAILS = "grpc-status-details-bin"

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

# An error without details comes from gRPC itself, on this side or on the way.
BY_CODE: dict[str, type[errors.DirtyError]] = {
    "UNAVAILABLE": errors.DirtyConnectionError,
    "DEADLINE_EXCEEDED": errors.DirtyTimeoutError,
    "CANCELLED": errors.DirtyCancelledError,
}


def to_dirty_error(error: Any, app: str, action: str, socket_path: str) -> errors.DirtyError:
    """Return the DirtyError for a grpc.RpcError, sync or aio, of a call of `action` of `app`."""
    code: str = error.code().name
    info, facts, said = _details(error.trailing_metadata() or ())
    # If a deadline races with the answer, grpcio returns the text percent-encoded; the details have it as it was sent.
    message: str = said or error.details() or code
    reason = info.reason or (NO_ANSWER if code == "DEADLINE_EXCEEDED" else "")
    if reason == NO_ANSWER:
        message = "dirtyd did not answer by the deadline, nor in the second after it"
    kind = BY_REASON.get(reason) or BY_CODE.get(code, errors.DirtyError)
    if kind is errors.DirtyConnectionError:
        # grpcio tells it by its text only.
        facts["unsent"] = message.startswith("failed to connect to all addresses")
        if facts["unsent"]:
            # Before the error itself, it has the path again and again.
            why = message.rpartition(" error: ")[2]
            message = f"cannot reach dirtyd at {socket_path}: {why}; {_remedy(why)}"
        else:
            message = f"the connection to dirtyd at {socket_path} broke during the call: {message}"
    known = dict(info.metadata)
    return kind(
        message,
        code=code,
        reason=reason,
        app=known.pop("app", app),
        action=known.pop("action", action),
        worker_pid=_number(known.pop("worker_pid", "")),
        remote_type=known.pop("exception_type", None),
        request_id=known.pop("request_id", None),
        metadata=known,
        **facts,
    )


def _details(trailers: Iterable[Any]) -> tuple[ErrorInfo, dict[str, Any], str]:
    """Return the ErrorInfo of our domain, the facts of RetryInfo and DebugInfo, and the message."""
    info, facts = ErrorInfo(), dict[str, Any]()
    data = next((value for key, value in trailers if key == DETAILS), b"")
    try:
        status = Status.FromString(data)
        for detail in status.details:
            match detail.type_url.rpartition("/")[2]:
                case "google.rpc.ErrorInfo":
                    found = ErrorInfo.FromString(detail.value)
                    info = found if found.domain == DOMAIN else info
                case "google.rpc.RetryInfo":
                    delay = RetryInfo.FromString(detail.value).retry_delay
                    facts["retry_after"] = delay.seconds + delay.nanos / 1e9
                case "google.rpc.DebugInfo":
                    debug = DebugInfo.FromString(detail.value)
                    facts["remote_traceback"] = "\n".join(debug.stack_entries) or debug.detail
    except Exception:  # Malformed details must not hide the error to which they belong.
        return ErrorInfo(), {}, ""
    return info, facts, status.message


def _remedy(why: str) -> str:
    if "ermission denied" in why:
        return "this user may not open the socket; socket_mode and socket_group say who may"
    return "is dirtyd running? start it with `dirtyd serve`"


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None
