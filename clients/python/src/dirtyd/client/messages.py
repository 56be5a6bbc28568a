"""Calls and results as the bytes of their messages."""

from typing import Any

from google.protobuf.message import DecodeError

from dirtyd._proto.dirty.v1.arbiter_pb2 import ExecuteRequest, ExecuteResponse
from dirtyd.client.status import Failed
from dirtyd.values import decode, encode


def request(app: str, action: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """Return an ExecuteRequest. Raises TypeError or ValueError for what has no form as a Value."""
    message = ExecuteRequest(app=app, action=action)
    for index, value in enumerate(args):
        encode(value, message.args.add(), f"args[{index}]")
    for name, value in kwargs.items():
        encode(value, message.kwargs[name], name)
    return message.SerializeToString()


def result(data: bytes | bytearray) -> Any:
    """Return the value in an ExecuteResponse, or in an ExecuteStreamResponse, which has the same form.

    Raises Failed if it is neither.
    """
    try:
        message = ExecuteResponse.FromString(data)  # type: ignore[arg-type]
    except DecodeError:
        raise Failed("INTERNAL", "the answer is no message of this protocol") from None
    return decode(message.result)
