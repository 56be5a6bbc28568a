"""What a call returns, on the main thread and on threads."""

import pytest

from dirtyd._proto.dirty.worker.v1 import worker_pb2 as pb

APP = """
import asyncio, contextvars, decimal, os, signal, sys, threading
import dirtyd

VAR = contextvars.ContextVar("VAR", default="nobody")

class Plain:
    def __call__(self, action, *args): return getattr(self, action)(*args)
    def works(self): return 1
    def lacks(self): return self.row
    def lacks_its_like(self): return object().lacks_its_like

class App(dirtyd.DirtyApp):
    limit = 5

    def init(self):
        self.state = 0
        self.loop = None

    def echo(self, *args, **kwargs): return {"args": list(args), "kwargs": kwargs}
    def count(self): self.state += 1; return self.state
    def thread(self): return threading.current_thread() is threading.main_thread()
    def modules(self): return [name for name in ("grpc", "numpy") if name in sys.modules]
    async def later(self, x):
        await asyncio.sleep(0)
        return x + 1
    async def same_loop(self):
        first, self.loop = self.loop, asyncio.get_running_loop()
        return first is self.loop
    def numbers(self, n): yield from range(n)
    async def anumbers(self, n):
        for i in range(n):
            await asyncio.sleep(0)
            yield i
    async def gives_generator(self, n): return self.numbers(n)
    async def gives_async_generator(self, n): return self.anumbers(n)
    def facts(self):
        call = dirtyd.current_call()
        return {"app": call.app, "action": call.action, "id": call.request_id, "cancelled": call.cancelled,
                "meta": dict(call.metadata), "left": call.remaining()}
    async def afacts(self):
        await asyncio.sleep(0)
        return self.facts()
    async def facts_in_task(self): return await asyncio.create_task(self.afacts())
    def fails(self, x): raise ValueError(f"bad {x}")
    async def afails(self): raise KeyError("k")
    def chained(self):
        try: self.fails(1)
        except ValueError as error: raise RuntimeError("outer") from error
    def breaks_off(self):
        yield 1
        raise OSError("midway")
    def exits(self): sys.exit(3)
    def interrupts(self): raise KeyboardInterrupt
    async def aexits(self): sys.exit(3)
    def own_attribute_error(self): return self.missing
    def sets(self, x):
        VAR.set(x)
        decimal.getcontext().prec = x
    def yields_and_sets(self, x):
        VAR.set(x)
        yield VAR.get()
        yield VAR.get()
    async def asets(self, x): VAR.set(x)
    def sees(self): return [VAR.get(), decimal.getcontext().prec]
    def nameless(self):
        class Meta(type):
            @property
            def __module__(cls): raise RuntimeError("no")
        class Odd(Exception, metaclass=Meta):
            @property
            def __class__(self): raise RuntimeError("no")
        raise Odd("why")
    def unprintable(self):
        class Odd(Exception):
            def __str__(self): raise RuntimeError("no")
        raise Odd
    def surrogates(self): raise ValueError("\\ud800")
    def chosen(self): raise dirtyd.AppError("no such row", code="NOT_FOUND", metadata={"row": "7"})
    def chosen_by_attribute(self):
        error = ValueError("busy"); error.dirty_code = 14
        raise error
    def nonsense_code(self): raise dirtyd.AppError("x", code="NICE")
    def a_set(self): return {"rows": [1, {2}]}
    def yields_a_set(self):
        yield 1
        yield {2}
    def big(self, n): return b"x" * n
    def _private(self): return 1
    not_callable = 3
"""


@pytest.fixture(params=[1, 4], ids=["main thread", "4 threads"])
def arbiter(worker, request):
    return worker(APP, threads=request.param, max_message_size=200_000)


def stream(arbiter, action, *args, **kwargs):
    """Run a stream to its end. Return its chunks and the kind of its terminal frame."""
    arbiter.start(action, *args, stream=True, **kwargs)
    chunks = []
    while True:
        frame = arbiter.receive()
        kind = frame.WhichOneof("kind")
        if kind != "chunk":
            return chunks, getattr(frame, kind)
        chunks.append(pb.WorkerFrame.FromString(frame.SerializeToString()).chunk.payload)


def test_arguments_and_result(arbiter) -> None:
    assert arbiter.call("echo", 1, "a", None, x=[True, 2.5], y={"b": b"c"}) == {
        "args": [1, "a", None], "kwargs": {"x": [True, 2.5], "y": {"b": b"c"}}
    }  # fmt: skip


def test_names_of_keyword_arguments_are_the_callers(arbiter) -> None:
    names = dict.fromkeys(("call", "function", "result", "args", "kwargs"), 1)
    assert arbiter.call("echo", **names) == {"args": [], "kwargs": names}


def test_state_stays(arbiter) -> None:
    assert [arbiter.call("count") for _ in range(3)] == [1, 2, 3]


def test_the_thread_of_sync_actions(worker) -> None:
    assert worker(APP, threads=1).call("thread") is True
    assert worker(APP, threads=2).call("thread") is False


def test_neither_grpc_nor_numpy_is_loaded(arbiter) -> None:
    assert arbiter.call("modules") == []


def test_coroutines_share_one_loop(arbiter) -> None:
    assert arbiter.call("later", 41) == 42
    assert [arbiter.call("same_loop"), arbiter.call("same_loop")] == [False, True]


@pytest.mark.parametrize("action", ["numbers", "anumbers", "gives_generator", "gives_async_generator"])
def test_streams(arbiter, action) -> None:
    call_id = arbiter.start(action, 3, stream=True)
    assert [arbiter.value("chunk") for _ in range(3)] == [0, 1, 2]
    assert arbiter.expect("end").call_id == call_id


@pytest.mark.parametrize("action", ["numbers", "anumbers", "gives_generator", "gives_async_generator"])
def test_execute_refuses_what_streams(arbiter, action) -> None:
    error = arbiter.error(action, 3)
    assert error.kind == pb.ERROR_KIND_ACTION_STREAMS
    assert arbiter.call("count") == 1


def test_a_stream_of_one_result_is_a_response(arbiter) -> None:
    arbiter.start("count", stream=True)
    assert arbiter.value() == 1


@pytest.mark.parametrize("action", ["facts", "afacts", "facts_in_task"])
def test_current_call(arbiter, action) -> None:
    facts = arbiter.call(action, timeout=50, metadata={"user": b"ann", "raw-bin": b"\xff"})
    assert 0 < facts.pop("left") <= 50
    meta = {"user": "ann", "raw-bin": b"\xff"}
    assert facts == {"app": "apps:App", "action": action, "id": "r1", "cancelled": False, "meta": meta}


def test_exceptions_of_the_app(arbiter) -> None:
    error = arbiter.error("fails", 7)
    assert (error.kind, error.failure.exception_type) == (pb.ERROR_KIND_APP, "ValueError")
    assert error.failure.message == "bad 7"
    assert "in fails" in error.failure.traceback
    assert "dirtyd" not in error.failure.traceback
    assert arbiter.error("afails").failure.exception_type == "KeyError"
    chained = arbiter.error("chained").failure.traceback
    assert "in fails" in chained
    assert "direct cause" in chained
    assert "worker" not in chained
    assert arbiter.error("own_attribute_error").kind == pb.ERROR_KIND_APP


def test_a_wrong_signature_is_the_apps_error(arbiter) -> None:
    error = arbiter.error("fails")
    assert (error.kind, error.failure.exception_type) == (pb.ERROR_KIND_APP, "TypeError")


def test_a_stream_that_breaks_off(arbiter) -> None:
    chunks, error = stream(arbiter, "breaks_off")
    assert len(chunks) == 1
    assert (error.kind, error.failure.message) == (pb.ERROR_KIND_APP, "midway")


@pytest.mark.parametrize("action", ["exits", "interrupts", "aexits"])
def test_no_exception_ends_the_worker(arbiter, action) -> None:
    error = arbiter.error(action)
    assert (error.kind, error.failure.exception_type) == (
        pb.ERROR_KIND_APP, "KeyboardInterrupt" if action == "interrupts" else "SystemExit"
    )  # fmt: skip
    assert arbiter.call("count") == 1


def test_odd_exceptions(arbiter) -> None:
    assert "str() of" in arbiter.error("unprintable").failure.message
    assert "why" in arbiter.error("nameless").failure.message
    assert arbiter.call("count") == 1
    assert arbiter.error("surrogates").failure.message == "\\ud800"


def test_an_app_chooses_its_code(arbiter) -> None:
    failure = arbiter.error("chosen").failure
    assert (failure.exception_type, failure.code, dict(failure.metadata)) == ("dirtyd.AppError", 5, {"row": "7"})
    assert arbiter.error("chosen_by_attribute").failure.code == 14
    assert arbiter.error("nonsense_code").failure.code == 0


@pytest.mark.parametrize("action", ["nope", "_private", "__init__", "init", "close", "workers", "not_callable"])
def test_unknown_and_private_actions(arbiter, action) -> None:
    assert arbiter.error(action).kind == pb.ERROR_KIND_ACTION_NOT_FOUND


def test_what_a_call_sets_in_its_context_no_other_call_sees(arbiter) -> None:
    for action in ("sets", "asets"):
        arbiter.call(action, 5)
    chunks, _ = stream(arbiter, "yields_and_sets", 6)
    assert len(set(chunks)) == 1, "within a stream it stays"
    for _ in range(8):
        assert arbiter.call("sees") == ["nobody", 28]


def test_an_app_that_looks_its_actions_up_by_name_has_no_others(arbiter) -> None:
    arbiter.init("apps:Plain")
    assert arbiter.call("works", app="apps:Plain") == 1
    assert arbiter.error("nope", app="apps:Plain").kind == pb.ERROR_KIND_ACTION_NOT_FOUND
    for action in ("lacks", "lacks_its_like"):
        assert arbiter.error(action, app="apps:Plain").kind == pb.ERROR_KIND_APP


def test_results_without_a_form(arbiter) -> None:
    error = arbiter.error("a_set")
    assert error.kind == pb.ERROR_KIND_RESULT_NOT_SERIALIZABLE
    assert error.failure.message.startswith('result["rows"][1]: set has no form')
    chunks, error = stream(arbiter, "yields_a_set")
    assert len(chunks) == 1
    assert error.kind == pb.ERROR_KIND_RESULT_NOT_SERIALIZABLE


def test_the_limit_of_a_message(arbiter) -> None:
    assert len(arbiter.call("big", 190_000)) == 190_000
    error = arbiter.error("big", 200_001)
    assert error.kind == pb.ERROR_KIND_MESSAGE_TOO_LARGE
    assert "200000" in error.failure.message


def test_large_arguments(worker) -> None:
    arbiter = worker(APP)
    data = bytes(range(256)) * 20_000
    assert arbiter.call("echo", data)["args"] == [data]
    assert arbiter.call("count") == 1


@pytest.mark.parametrize("payload", [b"\xff\xff", b"\x0a\x08apps:App\x12\x04echo\x1a\x00"])
def test_malformed_requests(arbiter, payload) -> None:
    arbiter.send(request=arbiter.request("apps:App", "echo", payload))
    assert arbiter.expect("error").kind == pb.ERROR_KIND_INVALID_REQUEST
    assert arbiter.call("count") == 1


def test_several_calls_at_once(worker) -> None:
    arbiter = worker(
        """
        import threading
        class App:
            def __init__(self): self.barrier = threading.Barrier(3)
            def __call__(self, action): return self.barrier.wait(20) >= 0
        """,
        threads=3,
    )
    for _ in range(3):
        arbiter.start("meet")
    assert [arbiter.value() for _ in range(3)] == [True] * 3
