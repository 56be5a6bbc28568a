"""The conformance cases through a stock grpcio stub: generated code, a `unix:` target, no channel options.

    stock.py sync|asyncio

The daemon's socket is in DIRTYD_SOCKET. tests/conformance/README.md describes cases and output.
The stub is generated on the fly from proto/, as a user would: nothing of the dirtyd package is imported.
"""

import asyncio
import base64
import json
import math
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TextIO

import grpc

ROOT = Path(__file__).resolve().parents[3]
# What a stock channel receives at the most; larger cases need an option, which is not the point here.
STOCK_LIMIT = 4 * 1024 * 1024


def generate(folder: str) -> None:
    from grpc_tools import protoc

    protos = ["value", "arbiter"]
    well_known = Path(protoc.__file__).parent / "_proto"
    arguments = [
        "protoc",
        f"-I{ROOT / 'proto'}",
        f"-I{well_known}",
        f"--python_out={folder}",
    ]
    arguments += [
        f"--grpc_python_out={folder}",
        *(f"dirty/v1/{name}.proto" for name in protos),
    ]
    assert protoc.main(arguments) == 0
    sys.path.insert(0, folder)


def encode(tagged):
    from dirty.v1 import value_pb2 as pb

    ((tag, inner),) = tagged.items()
    match tag:
        case "null":
            return pb.Value(null_value=0)
        case "bool":
            return pb.Value(bool_value=inner)
        case "int":
            return pb.Value(int_value=int(inner))
        case "double":
            return pb.Value(double_value=float(inner))
        case "string":
            return pb.Value(string_value=inner)
        case "bytes":
            return pb.Value(bytes_value=base64.b64decode(inner))
        case "list":
            return pb.Value(list_value=pb.ListValue(values=map(encode, inner)))
        case "map":
            return pb.Value(map_value=pb.MapValue(entries={key: encode(value) for key, value in inner.items()}))
        case "tensor":
            data = base64.b64decode(inner["data"])
            return pb.Value(tensor_value=pb.Tensor(dtype=inner["dtype"], shape=inner["shape"], data=data))
        case "string_repeat":
            return pb.Value(string_value=inner["text"] * inner["count"])
        case "bytes_repeat":
            return pb.Value(bytes_value=bytes([inner["byte"]]) * inner["count"])
    raise ValueError(f"unknown tag {tag}")


def comparable(value):
    """A Value as Python data in which kinds and the bits of doubles count, and the order of map entries does not."""
    kind = value.WhichOneof("kind")
    inner = getattr(value, kind) if kind else None
    if kind == "double_value":
        return kind, "nan" if math.isnan(inner) else inner.hex()
    if kind == "list_value":
        return kind, [comparable(item) for item in inner.values]
    if kind == "map_value":
        return kind, {key: comparable(item) for key, item in inner.entries.items()}
    if kind == "tensor_value":
        return kind, (inner.dtype, list(inner.shape), inner.data)
    return kind, inner


class Case:
    def __init__(self, case: dict) -> None:
        from dirty.v1 import arbiter_pb2 as pb

        self.name, self.expect, self.streams = (
            case["name"],
            case["expect"],
            case["method"] == "stream",
        )
        self.leave_after = case.get("cancel_after")
        self.timeout = case["timeout_ms"] / 1000 if "timeout_ms" in case else None
        self.closed_file = None
        arguments = [encode(self._own_path(argument)) for argument in case["args"]]
        kwargs = {key: encode(value) for key, value in case.get("kwargs", {}).items()}
        self.request = pb.ExecuteRequest(app=case["app"], action=case["action"], args=arguments, kwargs=kwargs)

    def _own_path(self, argument):
        if "closed_file" not in argument:
            return argument
        self.closed_file = Path(tempfile.mkdtemp()) / "closed"
        return {"string": str(self.closed_file)}

    def skip(self) -> str | None:
        sizes = self.expect.get("result", {}).get("string_repeat", {})
        if len(sizes.get("text", "")) * sizes.get("count", 0) > STOCK_LIMIT:
            return "a stock channel receives at most 4 MiB"
        return None

    def check(self, values: list, error: grpc.RpcError | None) -> None:
        if "error" in self.expect:
            return self._check_error(self.expect["error"], values, error)
        if error is not None:
            raise AssertionError(f"{error.code()}: {error.details()}")
        wanted = self.expect.get("chunks", self.expect.get("first_chunks", [self.expect.get("result")]))
        got = [comparable(value) for value in values]
        assert got == [comparable(encode(value)) for value in wanted], f"got {str(got)[:200]}"
        if self.closed_file:
            end = time.monotonic() + 2
            while not self.closed_file.exists():
                assert time.monotonic() < end, "the generator was not closed within 2 s"
                time.sleep(0.01)
        return None

    def _check_error(self, wanted: dict, values: list, error: grpc.RpcError | None) -> None:
        assert error is not None, "no error came"
        assert error.code().name == wanted["code"], f"{error.code()}: {error.details()}"
        trailers = dict(error.trailing_metadata() or ())
        details = trailers.get("grpc-status-details-bin", b"")
        # Without googleapis' own classes: the reason and the rest stand in the details as plain text.
        if not (wanted.get("client_may_refuse") and not details):
            assert wanted["reason"].encode() in details, f"reason {wanted['reason']} is not in the details"
        assert wanted.get("message_contains", "") in (error.details() or ""), error.details()
        for key in ("remote_type", "traceback_contains"):
            assert wanted.get(key, "").encode() in details, f"{key} is not in the details"
        if "after_chunks" in wanted:
            assert len(values) == wanted["after_chunks"]


def run_sync(case: Case, stub) -> None:
    values, error = [], None
    try:
        if not case.streams:
            values.append(stub.Execute(case.request, timeout=case.timeout).result)
        else:
            stream = stub.ExecuteStream(case.request, timeout=case.timeout)
            for response in stream:
                values.append(response.chunk)
                if len(values) == case.leave_after:
                    stream.cancel()
                    break
    except grpc.RpcError as failure:
        error = failure
    case.check(values, error)


async def run_async(case: Case, stub) -> None:
    values, error = [], None
    try:
        if not case.streams:
            values.append((await stub.Execute(case.request, timeout=case.timeout)).result)
        else:
            stream = stub.ExecuteStream(case.request, timeout=case.timeout)
            async for response in stream:
                values.append(response.chunk)
                if len(values) == case.leave_after:
                    stream.cancel()
                    break
    except grpc.RpcError as failure:
        error = failure
    case.check(values, error)


async def run(mode: str, cases: list[dict], report: TextIO) -> dict[str, int]:
    from dirty.v1 import arbiter_pb2_grpc

    target = f"unix:{os.environ['DIRTYD_SOCKET']}"
    channel = grpc.insecure_channel(target) if mode == "sync" else grpc.aio.insecure_channel(target)
    stub = arbiter_pb2_grpc.ArbiterStub(channel)
    counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    for case in map(Case, cases):
        verdict, why = "PASS", ""
        if reason := case.skip():
            verdict, why = "SKIP", reason
        else:
            try:
                run_sync(case, stub) if mode == "sync" else await run_async(case, stub)
            except AssertionError as failure:
                verdict, why = "FAIL", str(failure)
        counts[verdict] += 1
        print(f"{verdict} {case.name}: {why}" if why else f"{verdict} {case.name}")
        print(json.dumps({"case": case.name, "verdict": verdict, "why": why}), file=report)
    if mode != "sync":
        await channel.close()
    return counts


def open_report(mode: str) -> TextIO:
    """The report that tests/conformance/README.md describes; nowhere without a folder."""
    if not (folder := os.environ.get("DIRTYD_CONFORMANCE_REPORT")):
        return open(os.devnull, "w")
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder, f"stock-python-{mode}.jsonl").open("w")


def main() -> None:
    mode = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder, open_report(mode) as report:
        generate(folder)
        cases = json.loads((ROOT / "tests/conformance/cases.json").read_text())["cases"]
        counts = asyncio.run(run(mode, cases, report))
    print(f"{counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    sys.exit(bool(counts["FAIL"]))


if __name__ == "__main__":
    main()
