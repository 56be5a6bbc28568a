"""From a request to its one outcome: decode it, call the app, and follow what the app returns.

plain value        -> Response
generator          -> Chunk ... End, on the thread that runs sync code
coroutine          -> awaited on the event loop; then its result is followed likewise
async generator    -> Chunk ... End, on the event loop
exception          -> Error
"""

from collections.abc import Callable
from contextvars import copy_context
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Protocol, cast

from dirtyd._proto.dirty.v1.arbiter_pb2 import ExecuteRequest, ExecuteResponse
from dirtyd._proto.dirty.worker.v1.worker_pb2 import (
    ERROR_KIND_ACTION_NOT_FOUND,
    ERROR_KIND_ACTION_STREAMS,
    ERROR_KIND_APP,
    ERROR_KIND_CANCELLED,
    ERROR_KIND_INVALID_REQUEST,
    ERROR_KIND_MESSAGE_TOO_LARGE,
    ERROR_KIND_RESULT_NOT_SERIALIZABLE,
    PAYLOAD_KIND_EXECUTE_REQUEST,
    PAYLOAD_KIND_JSON,
    ErrorKind,
)
from dirtyd.call import CURRENT
from dirtyd.errors import ActionNotFound, CallTimeout
from dirtyd.values import decode, encode
from dirtyd.worker.credit import Credit
from dirtyd.worker.failures import describe, plain, type_name
from dirtyd.worker.interrupt import Guard
from dirtyd.worker.json_values import read_request, write
from dirtyd.worker.link import CAPACITY, LARGEST, Payload
from dirtyd.worker.loader import Apps
from dirtyd.worker.protocol import LOWEST, NAMES_IN_FRAME
from dirtyd.worker.running import Running
from dirtyd.worker.tracing import attach, detach
from dirtyd.worker.wire import read_arguments, read_names
from dirtyd.worker.wire_values import Data, Unusual, varint, write_value

_END = object()
#: What the worker runs by itself, and no caller.
LIFE_CYCLE = frozenset({"init", "close", "preload"})
# A result of these types needs no following. For other types the runtime has to look.
PLAIN = frozenset((type(None), bool, int, float, str, bytes, list, tuple, dict))


class Refusal(Exception):
    """A failure of a call that comes from the runtime, not from the app."""

    def __init__(self, kind: ErrorKind, message: str, exception_type: str = "") -> None:
        self.kind, self.failure = kind, plain(message, exception_type)


class AsyncRunner(Protocol):
    """Runs coroutines and async generators."""

    def take(self, call: Running, result: Any) -> None:
        """Follow `result` to the end of the call, in the current context."""


class Codec:
    """Decodes the payloads of requests and encodes those of results. `json` says whether JSON is agreed on."""

    def __init__(self) -> None:
        self.version, self.limit, self.json = LOWEST, LARGEST, False
        # Bound once, because each call keeps one of them.
        self._seal_as_value, self._seal_as_json = self._seal, self._seal_json

    def open(self, call: Running) -> tuple[list[Any], dict[str, Any]]:
        """Decode the request of `call`: return args and kwargs.

        From here on `call.public` names app and action, and `call.seal` encodes results.
        """
        payload, call.payload = call.payload, b""
        call.seal = self._seal_as_value
        if self.version < NAMES_IN_FRAME:
            names = read_names(payload)
            if names is None:
                return self._open(call, payload)
            call.public.app, call.public.action, at = names
            return read_arguments(payload, at) or self._open(call, payload)
        if call.payload_kind != PAYLOAD_KIND_EXECUTE_REQUEST:
            return self._open_json(call, payload)
        return read_arguments(payload) or self._open(call, payload)

    def _open(self, call: Running, payload: Data) -> tuple[list[Any], dict[str, Any]]:
        """Decode with protobuf what is not written in the usual way."""
        try:
            request = ExecuteRequest.FromString(bytes(payload))
            args = [decode(value) for value in request.args]
            kwargs = {name: decode(value) for name, value in request.kwargs.items()}
        except ImportError:
            raise
        except Exception as error:
            raise Refusal(ERROR_KIND_INVALID_REQUEST, str(error), type_name(type(error))) from None
        if self.version < NAMES_IN_FRAME:
            call.public.app, call.public.action = request.app, request.action
        return args, kwargs

    def _open_json(self, call: Running, payload: Data) -> tuple[list[Any], dict[str, Any]]:
        if call.payload_kind != PAYLOAD_KIND_JSON or not self.json:
            unknown = f"the request has payload kind {call.payload_kind}, which this worker does not know"
            raise Refusal(ERROR_KIND_INVALID_REQUEST, unknown)
        call.seal = self._seal_as_json
        try:
            return read_request(payload)
        except ImportError:
            raise
        except Exception as error:
            raise Refusal(ERROR_KIND_INVALID_REQUEST, str(error), type_name(type(error))) from None

    def _seal(self, value: Any, what: str) -> Payload:
        """Return a result or a chunk, encoded. The two messages are the same on the wire."""
        body = b""
        try:
            if type(value) is bytes and len(value) >= CAPACITY:
                data, body = b"\x32" + varint(len(value)), value  # Value.bytes_value = 6
            else:
                data = write_value(value)
            head = b"\x0a" + varint(len(data) + len(body)) + data  # ExecuteResponse.result = 1
        except (Unusual, UnicodeEncodeError):
            head = self._seal_unusual(value, what)
        if len(head) + len(body) > self.limit:
            raise _too_large(what, len(head) + len(body), self.limit)
        return head, body

    def _seal_json(self, value: Any, what: str) -> Payload:
        try:
            data = write(value, what)
        except Exception as error:
            raise Refusal(ERROR_KIND_RESULT_NOT_SERIALIZABLE, str(error), type_name(type(error))) from None
        if len(data) > self.limit:
            raise _too_large(what, len(data), self.limit)
        return (data, b"") if len(data) < CAPACITY else (b"", data)

    @staticmethod
    def _seal_unusual(value: Any, what: str) -> bytes:
        message = ExecuteResponse()
        try:
            encode(value, message.result, what)
            return message.SerializeToString()
        except Exception as error:
            raise Refusal(ERROR_KIND_RESULT_NOT_SERIALIZABLE, str(error), type_name(type(error))) from None


def _too_large(what: str, size: int, limit: int) -> Refusal:
    return Refusal(ERROR_KIND_MESSAGE_TOO_LARGE, f"the {what} takes {size} bytes, max_message_size is {limit}")


class SyncRunner:
    """Runs the sync code of calls on one thread, that of `guard`. `wait` blocks it until a stream has credit."""

    def __init__(
        self, apps: Apps, codec: Codec, loop: AsyncRunner, guard: Guard, wait: Callable[[Credit], None]
    ) -> None:
        self._apps, self._codec, self._loop, self._guard, self._wait = apps, codec, loop, guard, wait

    def begin(self, call: Running) -> None:
        """Run a call that has just arrived."""
        call.context = copy_context()
        call.context.run(self._in_call, call, self._invoke)

    def resume(self, call: Running, generator: Any) -> None:
        """Stream a generator that a coroutine returned."""
        (call.context or copy_context()).run(self._in_call, call, self._stream, generator)

    def _in_call(self, call: Running, function: Callable[..., None], *args: Any) -> None:
        token = CURRENT.set(call.public)
        # What follows in this context, and in tasks that begin in it, is of the caller's trace.
        trace = attach(call.metadata) if call.metadata else None
        call.guard = self._guard
        try:
            function(call, *args)
        except BaseException as error:
            report(call, error)
        finally:
            call.guard = None
            if trace is not None:
                detach(trace)
            CURRENT.reset(token)

    def _invoke(self, call: Running) -> None:
        if call.cancelled:
            return call.end_cancelled()
        args, kwargs = self._codec.open(call)
        path, action = call.public.app, call.public.action
        if action.startswith("_"):
            raise ActionNotFound(f"the action {action!r} is private: its name starts with an underscore")
        if action in LIFE_CYCLE:
            raise ActionNotFound(f"{action!r} is no action: it belongs to the life of the app")
        app = self._apps.get(path)
        if app is None:
            raise Refusal(ERROR_KIND_INVALID_REQUEST, f"this worker has not loaded the app {path!r}")
        call.app = app
        return self._follow(call, self._guard.run(call, app, action, *args, **kwargs))

    def _follow(self, call: Running, result: Any) -> None:
        kind = type(result)
        if kind in PLAIN:
            call.respond(call.seal(result, "result"))
        elif kind is GeneratorType:
            self._stream(call, result)
        elif kind is AsyncGeneratorType or hasattr(kind, "__await__"):
            self._loop.take(call, result)
        else:
            call.respond(call.seal(result, "result"))

    def _stream(self, call: Running, generator: Any) -> None:
        try:
            credit = streaming_credit(call)
            run, seal, public = self._guard.run, call.seal, call.public
            while not public.cancelled:
                chunk = run(call, next, generator, _END)
                if chunk is _END:
                    return call.end()
                payload = seal(chunk, "chunk")
                while not credit.take(payload) and not public.cancelled:
                    self._wait(credit)
                if not public.cancelled:
                    call.chunk(payload)
        finally:
            # If the call timed out between two chunks, closing the generator is the interruption.
            call.interrupted = call.timed_out
            self._guard.run(call, generator.close)
        return call.end_cancelled()


def streaming_credit(call: Running) -> Credit:
    """Return the credit of a stream. Raises Refusal if the caller expects one result."""
    if call.credit is None:
        raise Refusal(ERROR_KIND_ACTION_STREAMS, f"{call.name} streams; use ExecuteStream")
    return call.credit


def report(call: Running, error: BaseException) -> None:
    """End a call with the exception that its code has raised."""
    kind = type(error)  # isinstance() would ask the exception, which may raise.
    if issubclass(kind, Refusal):
        refusal = cast(Refusal, error)
        call.fail(refusal.kind, refusal.failure)
    elif issubclass(kind, CallTimeout) and call.timed_out:
        call.fail(ERROR_KIND_CANCELLED, describe(error))
    elif _means_no_action(error, call):
        call.fail(ERROR_KIND_ACTION_NOT_FOUND, describe(error))
    else:
        call.fail(ERROR_KIND_APP, describe(error))


def _means_no_action(error: BaseException, call: Running) -> bool:
    kind, action = type(error), call.public.action
    if kind is AttributeError:
        # The app looks its actions up by name: `getattr(self, action)`.
        return error.name == action and error.obj is call.app  # type: ignore[attr-defined]
    # gunicorn's DirtyApp.__call__ raises this ValueError, also if the app's own __call__ calls it.
    return issubclass(kind, ActionNotFound) or (kind is ValueError and error.args == (f"Unknown action: {action}",))
