"""Calls whose payloads are JSON."""

import json

import pytest

from dirtyd._proto.dirty.worker.v1 import worker_pb2 as pb

APP = """
import asyncio, sys
import dirtyd

class App(dirtyd.DirtyApp):
    def echo(self, *args, **kwargs): return {"args": list(args), "kwargs": kwargs}
    def types(self, *args): return [type(arg).__name__ for arg in args]
    async def later(self, x):
        await asyncio.sleep(0)
        return [x, float("nan")]
    def gives(self, what): return eval(what)
    def modules(self): return [name for name in ("grpc", "numpy") if name in sys.modules]
    def numbers(self, n): yield from range(n)
    async def anumbers(self, n):
        for i in range(n):
            await asyncio.sleep(0)
            yield i
    async def gives_generator(self, n): return self.numbers(n)
    async def gives_async_generator(self, n): return self.anumbers(n)
    def rows(self):
        yield {"text": "ü\\n", "data": b"\\xff"}
        yield float("inf")
        yield {1}
    async def arows(self):
        for row in self.rows(): yield row
    def blobs(self, n, size):
        for _ in range(n): yield "x" * (size - 2)
    def fails(self): raise ValueError("bad")
    def waits(self):
        call = dirtyd.current_call()
        while not call.cancelled: yield 1
    def big(self, n): return "x" * n
"""


@pytest.fixture(params=[1, 4], ids=["main thread", "4 threads"])
def arbiter(worker, request):
    return worker(APP, threads=request.param, max_message_size=200_000, capabilities=["json"])


def test_arguments_and_result(arbiter) -> None:
    text = '{"args": [1, "ü", null], "kwargs": {"x": [true, 2.0], "y": {"$bytes": "AP8="}}}'
    assert arbiter.call_json("echo", text) == json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    assert arbiter.call_json("types", '[1, 1.0, {"$bytes": ""}, {"$double": "NaN"}, {"$x": 1}, "", []]') == (
        '["int","float","bytes","float","dict","str","list"]'
    )


@pytest.mark.parametrize("text", ["", " \r\n\t", "[]", "{}", '{"args":[],"kwargs":{}}'])
def test_no_arguments(arbiter, text) -> None:
    assert arbiter.call_json("echo", text) == '{"args":[],"kwargs":{}}'


def test_a_list_alone_and_keywords_alone(arbiter) -> None:
    assert arbiter.call_json("echo", "[[1]]") == '{"args":[[1]],"kwargs":{}}'
    names = '{"call":1,"function":1,"result":1,"args":1,"kwargs":1}'
    assert arbiter.call_json("echo", f'{{"kwargs":{names}}}') == f'{{"args":[],"kwargs":{names}}}'


def test_async_actions(arbiter) -> None:
    assert arbiter.call_json("later", "[1]") == '[1,{"$double":"NaN"}]'


def test_both_kinds_of_calls_take_turns(arbiter) -> None:
    for _ in range(3):
        assert arbiter.call_json("echo", "[1]") == '{"args":[1],"kwargs":{}}'
        assert arbiter.call("echo", 1) == {"args": [1], "kwargs": {}}
    arbiter.start_json("numbers", "[1]", stream=True)
    assert arbiter.text("chunk") == "0"
    arbiter.expect("end")
    arbiter.start("numbers", 1, stream=True)
    assert arbiter.value("chunk") == 0
    arbiter.expect("end")


def test_a_tensor_as_argument_and_result(arbiter) -> None:
    assert arbiter.call_json("modules") == "[]"
    text = '{"$tensor":{"dtype":"float32","shape":[2,1],"values":[[0.5],[{"$double":"NaN"}]]}}'
    assert arbiter.call_json("echo", f"[{text}]") == f'{{"args":[{text}],"kwargs":{{}}}}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", "neither a list nor an object"),
        ('{"argv":[]}', '"argv"'),
        ('{"kwargs":[]}', "kwargs is not an object"),
        ("[NaN]", "NaN"),
        ("[" * 5000, "nested deeper than 32 levels"),
        ("[9223372036854775808]", "64 bits"),
        ('["\\ud800"]', "lone surrogate"),
        ('[{"$bytes":"?"}]', "malformed $bytes"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_malformed_requests(arbiter, text, message) -> None:
    error = arbiter.error_json("echo", text)
    assert (error.kind, error.failure.exception_type) == (pb.ERROR_KIND_INVALID_REQUEST, "ValueError")
    assert message in error.failure.message
    assert arbiter.call("types") == []


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ('{"rows": [1, {2}]}', 'result["rows"][1]: set has no form'),
        ("{1: 2}", "result[1]: keys must be str, this one is int"),
        ("[2**63]", "result[0]: the int does not fit in 64 bits"),
        ('["\\ud800"]', "result[0]: the str holds lone surrogates"),
        ("eval('[' * 40 + ']' * 40)", "nested deeper than 32 levels"),
        ('{"$bytes": "AP8="}', 'result: a map whose only key is "$bytes"'),
    ],
)
def test_results_without_a_form(arbiter, what, message) -> None:
    error = arbiter.error_json("gives", json.dumps([what]))
    assert error.kind == pb.ERROR_KIND_RESULT_NOT_SERIALIZABLE
    assert error.failure.exception_type in ("TypeError", "ValueError")
    assert message in error.failure.message
    assert arbiter.call_json("types") == "[]"


@pytest.mark.parametrize("action", ["numbers", "anumbers", "gives_generator", "gives_async_generator"])
def test_streams(arbiter, action) -> None:
    call_id = arbiter.start_json(action, "[3]", stream=True)
    assert [arbiter.text("chunk") for _ in range(3)] == ["0", "1", "2"]
    assert arbiter.expect("end").call_id == call_id
    assert arbiter.error_json(action, "[3]").kind == pb.ERROR_KIND_ACTION_STREAMS


@pytest.mark.parametrize("action", ["rows", "arows"])
def test_a_stream_that_breaks_off_at_what_has_no_form(arbiter, action) -> None:
    arbiter.start_json(action, stream=True)
    assert arbiter.text("chunk") == '{"text":"ü\\n","data":{"$bytes":"/w=="}}'
    assert arbiter.text("chunk") == '{"$double":"inf"}'
    error = arbiter.expect("error")
    assert error.kind == pb.ERROR_KIND_RESULT_NOT_SERIALIZABLE
    assert error.failure.message.startswith("chunk: set has no form")


def test_credit_counts_the_bytes_of_the_text(arbiter) -> None:
    call_id = arbiter.start_json("blobs", "[3, 1000]", stream=True, chunks=100, size=1500)
    for _ in range(2):
        assert len(arbiter.text("chunk")) == 1000
    arbiter.ping()
    arbiter.send(credit={"call_id": call_id, "bytes": 500})  # Not above zero.
    arbiter.ping()
    arbiter.send(credit={"call_id": call_id, "bytes": 1})
    assert len(arbiter.text("chunk")) == 1000
    arbiter.expect("end")


def test_a_stream_is_cancelled(arbiter) -> None:
    call_id = arbiter.start_json("waits", stream=True, chunks=1)
    assert arbiter.text("chunk") == "1"
    arbiter.cancel(call_id)
    assert arbiter.expect("error").kind == pb.ERROR_KIND_CANCELLED


def test_errors_are_those_of_every_call(arbiter) -> None:
    error = arbiter.error_json("fails")
    assert (error.kind, error.failure.message) == (pb.ERROR_KIND_APP, "bad")
    assert arbiter.error_json("nope").kind == pb.ERROR_KIND_ACTION_NOT_FOUND


def test_the_limit_of_a_message(arbiter) -> None:
    assert len(arbiter.call_json("big", "[199998]")) == 200_000
    error = arbiter.error_json("big", "[199999]")
    assert error.kind == pb.ERROR_KIND_MESSAGE_TOO_LARGE
    assert error.failure.message == "the result takes 200001 bytes, max_message_size is 200000"


def test_large_arguments_and_results(worker) -> None:
    arbiter = worker(APP, capabilities=["json"])
    data = json.dumps({"args": [["x" * 3_000_000, {"$bytes": "AAAA" * 500_000}]], "kwargs": {}}, separators=(",", ":"))
    assert arbiter.call_json("echo", data) == data


def test_without_the_capability_it_is_an_unknown_kind(worker) -> None:
    arbiter = worker(APP, capabilities=["something"])
    error = arbiter.error_json("echo", "[]")
    assert error.kind == pb.ERROR_KIND_INVALID_REQUEST
    assert "payload kind 2," in error.failure.message
    assert arbiter.call("types") == []


def test_version_1_does_not_look_at_the_kind(worker) -> None:
    arbiter = worker(APP, protocol_version=1, capabilities=["json"])
    request = arbiter.request("", "", b"\x0a\x08apps:App\x12\x05types")
    request.payload_kind = pb.PAYLOAD_KIND_JSON
    arbiter.send(request=request)
    assert arbiter.value() == []
