"""The shared conformance cases through DirtyClient, sync and async. Needs DIRTYD_SOCKET: see tests/conformance."""

import asyncio
import base64
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import pytest

from dirtyd import DirtyClient, errors

CASES = json.loads((Path(__file__).parents[4] / "tests/conformance/cases.json").read_text())["cases"]


def native(tagged):
    ((tag, inner),) = tagged.items()
    return {
        "null": lambda: None,
        "bool": lambda: inner,
        "int": lambda: int(inner),
        "double": lambda: float(inner),
        "string": lambda: inner,
        "bytes": lambda: base64.b64decode(inner),
        "list": lambda: [native(item) for item in inner],
        "map": lambda: {key: native(item) for key, item in inner.items()},
        "tensor": lambda: np.frombuffer(base64.b64decode(inner["data"]), inner["dtype"]).reshape(inner["shape"]),
        "string_repeat": lambda: inner["text"] * inner["count"],
        "bytes_repeat": lambda: bytes([inner["byte"]]) * inner["count"],
    }[tag]()


def comparable(value):
    """The value with its type, so that 1, 1.0 and True differ, and with the bits of doubles."""
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return "tensor", str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, float):
        return "float", "nan" if math.isnan(value) else value.hex()
    return type(value).__name__, value


def run_sync(client, case, args, kwargs):
    if case["method"] == "execute":
        return [client.execute(case["app"], case["action"], *args, **kwargs)]
    values = []
    with client.stream(case["app"], case["action"], *args, **kwargs) as stream:
        try:
            for value in stream:
                values.append(value)
                if len(values) == case.get("cancel_after"):
                    break
        except errors.DirtyError as error:
            error.values = values
            raise
    return values


async def run_async(client, case, args, kwargs):
    if case["method"] == "execute":
        return [await client.execute_async(case["app"], case["action"], *args, **kwargs)]
    values = []
    async with client.stream_async(case["app"], case["action"], *args, **kwargs) as stream:
        try:
            async for value in stream:
                values.append(value)
                if len(values) == case.get("cancel_after"):
                    break
        except errors.DirtyError as error:
            error.values = values
            raise
    return values


def run(mode, case, args, kwargs):
    timeout = case["timeout_ms"] / 1000 if "timeout_ms" in case else None
    if mode == "sync":
        with DirtyClient(os.environ["DIRTYD_SOCKET"]) as client:
            return run_sync(client.options(timeout=timeout), case, args, kwargs)

    async def one():
        async with DirtyClient(os.environ["DIRTYD_SOCKET"]) as client:
            return await run_async(client.options(timeout=timeout), case, args, kwargs)

    return asyncio.run(one())


# The cases of a mode one after the other, as they stand: a case may leave the one worker busy for its successor.
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_case(case, mode, tmp_path):
    closed = tmp_path / "closed"
    args = [str(closed) if "closed_file" in argument else native(argument) for argument in case["args"]]
    kwargs = {key: native(value) for key, value in case.get("kwargs", {}).items()}
    expect = case["expect"]
    if "error" in expect:
        with pytest.raises(errors.DirtyError) as raised:
            run(mode, case, args, kwargs)
        return check_error(raised.value, expect["error"])
    values = run(mode, case, args, kwargs)
    wanted = expect.get("chunks", expect.get("first_chunks", [expect.get("result")]))
    assert [comparable(value) for value in values] == [comparable(native(value)) for value in wanted]
    if "first_chunks" in expect:
        end = time.monotonic() + 2
        while not closed.exists():
            assert time.monotonic() < end, "the generator was not closed within 2 s"
            time.sleep(0.01)
    return None


def check_error(error, wanted):
    assert error.code == wanted["code"]
    assert error.reason == wanted["reason"] or (wanted.get("client_may_refuse") and not error.reason)
    assert wanted.get("message_contains", "") in str(error)
    assert wanted.get("remote_type") in (None, error.remote_type)
    assert wanted.get("traceback_contains", "") in (error.remote_traceback or "")
    if "after_chunks" in wanted:
        assert len(error.values) == wanted["after_chunks"]
