"""An arbiter for tests of the client: python fake_server.py SOCKET DIRECTORY. Prints "ready"; exits when stdin ends."""

import os
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import DebugInfo, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from dirtyd._proto.dirty.v1.arbiter_pb2 import ExecuteRequest, ExecuteResponse, ExecuteStreamResponse
from dirtyd.values import decode, encode

#: The number of attempts, by the name of a test.
attempts: Counter[str] = Counter()


def response(value: Any) -> ExecuteResponse:
    message = ExecuteResponse()
    encode(value, message.result)
    return message


def fail(
    context: grpc.ServicerContext, code: str, reason: str, facts: dict[str, str], retry_after: float = 1.5
) -> None:
    details = []
    seconds, rest = divmod(retry_after, 1)
    for detail in (
        ErrorInfo(domain="dirty.v1", reason=reason, metadata=facts),
        RetryInfo(retry_delay=Duration(seconds=int(seconds), nanos=int(rest * 1e9))),
        DebugInfo(stack_entries=["Traceback", "  in f"], detail="traceback"),
    ):
        details.append(AnyMessage())
        details[-1].Pack(detail)
    number = grpc.StatusCode[code].value[0]
    status = Status(code=number, message="it failed", details=details)
    context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
    context.abort(grpc.StatusCode[code], "it failed")


def fail_first(context: grpc.ServicerContext, name: str, failures: int, *failure: Any) -> None:
    """Fail the first attempts under one name."""
    attempts[name] += 1
    if attempts[name] <= failures:
        fail(context, *failure)


def execute(request: ExecuteRequest, context: grpc.ServicerContext) -> ExecuteResponse:
    args = [decode(value) for value in request.args]
    kwargs = {name: decode(value) for name, value in request.kwargs.items()}
    match request.action:
        case "fail":
            fail(context, *args)
        case "fail_first":
            fail_first(context, *args)
        case "attempts":
            return response(attempts[args[0]])
        case "bare":
            context.abort(grpc.StatusCode[args[0]], "bare")
        case "never":
            watch(context)
            threading.Event().wait()
        case "metadata":
            return response({key: value for key, value in context.invocation_metadata() if key.startswith("x-")})
        case "left":
            return response(context.time_remaining())
    return response({"app": request.app, "action": request.action, "args": args, "kwargs": kwargs})


def stream(request: ExecuteRequest, context: grpc.ServicerContext):
    if request.action == "fail_first":
        fail_first(context, *(decode(value) for value in request.args[1:]))
    watch(context)
    for number in range(decode(request.args[0])):
        message = ExecuteStreamResponse()
        encode(number, message.chunk)
        yield message
    if request.action == "breaks_off":
        reason = decode(request.args[1]) if len(request.args) > 1 else "WORKER_CRASHED"
        fail(context, "ABORTED", reason, {"worker_pid": "12"})
    while request.action == "endless" and context.is_active():
        time.sleep(0.005)


def watch(context: grpc.ServicerContext) -> None:
    context.add_callback((Path(sys.argv[2]) / "ended").touch)


def main() -> None:
    handlers = {
        "Execute": grpc.unary_unary_rpc_method_handler(
            execute, ExecuteRequest.FromString, ExecuteResponse.SerializeToString
        ),
        "ExecuteStream": grpc.unary_stream_rpc_method_handler(
            stream, ExecuteRequest.FromString, ExecuteStreamResponse.SerializeToString
        ),
    }
    server = grpc.server(ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("dirty.v1.Arbiter", handlers)])
    server.add_insecure_port(f"unix:{sys.argv[1]}")
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(0)
    sys.stdout.flush()

    os._exit(0)  # The threads of "never" still run.


if __name__ == "__main__":
    main()
