"""The shared conformance cases through DirtyClient, sync and async. Needs DIRTYD_SOCKET: see tests/conformance."""

import asyncio
import base64
import json
import math
import os
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from dirtyd import DirtyClient, errors

CASES = json.loads((Path(__file__).parents[4] / "tests/conformance/cases.json").read_text())["cases"]
MODES = ["sync", "async"]


@pytest.fixture(scope="module")
def reports():
    """Write the report of each mode that tests/conformance/README.md describes, if a folder is named."""
    folder = os.environ.get("DIRTYD_CONFORMANCE_REPORT")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:
        paths = {mode: Path(folder, f"python-{mode}.jsonl") if folder else Path(os.devnull) for mode in MODES}
        yield {mode: files.enter_context(path.open("w")) for mode, path in paths.items()}


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
    """Return the value with its type, so that 1, 1.0 and True differ, and with the bits of doubles."""
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return "tensor", str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, float):
        return "float", "nan" if math.isnan(value) else value.hex()
    return type(value).__name__, value


def tagged(value):
    """Return the value as the cases write it."""
    match value:
        case None:
            return {"null": True}
        case bool():
            return {"bool": value}
        case int():
            return {"int": str(value)}
        case float():
            return {"double": repr(value)}
        case str():
            return {"string": value}
        case bytes():
            return {"bytes": base64.b64encode(value).decode()}
        case list():
            return {"list": [tagged(item) for item in value]}
        case dict():
            return {"map": {key: tagged(item) for key, item in value.items()}}
    data = base64.b64encode(value.tobytes()).decode()
    return {"tensor": {"dtype": str(value.dtype), "shape": list(value.shape), "data": data}}


def run_sync(client, case, args, kwargs, values):
    if case["method"] == "execute":
        values.append(client.execute(case["app"], case["action"], *args, **kwargs))
        return
    with client.stream(case["app"], case["action"], *args, **kwargs) as stream:
        for value in stream:
            values.append(value)
            if len(values) == case.get("cancel_after"):
                break


async def run_async(client, case, args, kwargs, values):
    if case["method"] == "execute":
        values.append(await client.execute_async(case["app"], case["action"], *args, **kwargs))
        return
    async with client.stream_async(case["app"], case["action"], *args, **kwargs) as stream:
        async for value in stream:
            values.append(value)
            if len(values) == case.get("cancel_after"):
                break


def run(mode, case, args, kwargs):
    """Return the result or the chunks, and the error that ended the call."""
    timeout = case["timeout_ms"] / 1000 if "timeout_ms" in case else None
    values = []

    async def one():
        async with DirtyClient(os.environ["DIRTYD_SOCKET"]) as client:
            await run_async(client.options(timeout=timeout), case, args, kwargs, values)

    try:
        if mode == "async":
            asyncio.run(one())
        else:
            with DirtyClient(os.environ["DIRTYD_SOCKET"]) as client:
                run_sync(client.options(timeout=timeout), case, args, kwargs, values)
    except errors.DirtyError as error:
        return values, error
    return values, None


def outcome(values, error):
    """Return the outcome of the call, in the form that the reports of all clients share."""
    seen = {"values": [tagged(value) for value in values]}
    if error is not None:
        seen["error"] = {
            "code": error.code,
            "reason": error.reason,
            "message": error.message,
            "exception_type": error.remote_type or "",
            "traceback": error.remote_traceback or "",
        }
    return seen


# The cases of a mode run one after another, in their order: a case may leave the one worker busy for the next case.
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
@pytest.mark.parametrize("mode", MODES)
def test_case(case, mode, tmp_path, reports):
    closed = tmp_path / "closed"
    args = [str(closed) if "closed_file" in argument else native(argument) for argument in case["args"]]
    kwargs = {key: native(value) for key, value in case.get("kwargs", {}).items()}
    line = {"case": case["name"], "verdict": "FAIL", "why": ""}
    try:
        values, error = run(mode, case, args, kwargs)
        line["outcome"] = outcome(values, error)
        check(case["expect"], values, error, closed)
        line["verdict"] = "PASS"
    except BaseException as failure:
        line["why"] = str(failure)[:500]
        raise
    finally:
        print(json.dumps(line), file=reports[mode])


def check(expect, values, error, closed):
    if "error" in expect:
        return check_error(expect["error"], values, error)
    assert error is None
    wanted = expect.get("chunks", expect.get("first_chunks", [expect.get("result")]))
    assert [comparable(value) for value in values] == [comparable(native(value)) for value in wanted]
    if "first_chunks" in expect:
        end = time.monotonic() + 2
        while not closed.exists():
            assert time.monotonic() < end, "the generator was not closed within 2 s"
            time.sleep(0.01)
    return None


def check_error(wanted, values, error):
    assert error is not None, "no error came"
    assert error.code == wanted["code"]
    assert error.reason == wanted["reason"] or (wanted.get("client_may_refuse") and not error.reason)
    assert wanted.get("message_contains", "") in str(error)
    assert wanted.get("remote_type") in (None, error.remote_type)
    assert wanted.get("traceback_contains", "") in (error.remote_traceback or "")
    if "after_chunks" in wanted:
        assert len(values) == wanted["after_chunks"]
