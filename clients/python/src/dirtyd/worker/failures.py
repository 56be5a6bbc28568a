"""Exceptions as Failure messages: type, message, traceback, and what the app has chosen for its caller."""

import importlib
import os
import traceback
from typing import Any

from dirtyd._proto.dirty.worker.v1.worker_pb2 import Failure

MAX_MESSAGE = 16 * 1024
MAX_TRACEBACK = 64 * 1024
# For all keys and values together; an entry that does not fit is left out. The arbiter passes on even less.
MAX_METADATA = 16 * 1024

# Frames in these files belong to the runtime, not to the app.
_OWN = (os.path.dirname(os.path.dirname(__file__)) + os.sep, "<frozen importlib", importlib.__file__)

# google.rpc.Code
CODES = {
    "CANCELLED": 1, "UNKNOWN": 2, "INVALID_ARGUMENT": 3, "DEADLINE_EXCEEDED": 4, "NOT_FOUND": 5, "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7, "RESOURCE_EXHAUSTED": 8, "FAILED_PRECONDITION": 9, "ABORTED": 10, "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12, "INTERNAL": 13, "UNAVAILABLE": 14, "DATA_LOSS": 15, "UNAUTHENTICATED": 16,
}  # fmt: skip


def describe(error: BaseException) -> Failure:
    """Return an exception as a Failure. Never raises, however odd the exception."""
    failure = Failure(exception_type=type_name(type(error)), message=_message(error), traceback=_traceback(error))
    try:
        failure.code = _code(getattr(error, "dirty_code", 0))
        if failure.code:
            room = MAX_METADATA
            for key, value in dict(getattr(error, "metadata", None) or {}).items():
                name, text = _clean(str(key)), _clean(str(value))
                if len(name) + len(text) <= room:
                    room -= len(name) + len(text)
                    failure.metadata[name] = text
    except BaseException:
        failure.metadata.clear()
    return failure


def plain(message: str, exception_type: str = "") -> Failure:
    """Return a Failure that does not come from an exception."""
    return Failure(message=_clean(message)[:MAX_MESSAGE], exception_type=exception_type)


def type_name(kind: type) -> str:
    """Return the full name of a type; that of a builtin has no module."""
    try:
        module, name = str(kind.__module__), str(kind.__qualname__)
    except BaseException:
        return type.__dict__["__name__"].__get__(kind)  # type: ignore[no-any-return]
    return name if module == "builtins" else f"{module}.{name}"


def _message(error: BaseException) -> str:
    try:
        return _clean(str(error))[:MAX_MESSAGE]
    except BaseException:
        return f"<str() of {type_name(type(error))} failed>"


def _traceback(error: BaseException) -> str:
    try:
        summary = traceback.TracebackException.from_exception(error, compact=True)
        _trim(summary, set())
        text = _clean("".join(summary.format()))
    except BaseException:
        return ""
    return text if len(text) <= MAX_TRACEBACK else "...\n" + text[-MAX_TRACEBACK:]


def is_own(filename: str) -> bool:
    """Return True for a file of the runtime, or of the machinery of imports."""
    return filename.startswith(_OWN)


def _trim(summary: Any, seen: set[int]) -> None:
    """Leave out the frames of the runtime itself, also in the causes."""
    if summary is None or id(summary) in seen:
        return
    seen.add(id(summary))
    frames = [frame for frame in summary.stack if not is_own(frame.filename)]
    summary.stack = traceback.StackSummary.from_list(frames)
    for other in (summary.__cause__, summary.__context__, *(getattr(summary, "exceptions", None) or ())):
        _trim(other, seen)


def _code(chosen: Any) -> int:
    """Return the number of a code that is given by name or number; 0 if it is not an error code."""
    number = CODES.get(chosen, 0) if isinstance(chosen, str) else int(chosen)
    return number if number in CODES.values() else 0


def _clean(text: str) -> str:
    """Return the text without lone surrogates, which protobuf refuses."""
    return text.encode("utf-8", "backslashreplace").decode()
