"""The caller's trace in an action, by OpenTelemetry's API."""

import importlib.util

import pytest

from dirtyd._proto.dirty.worker.v1 import worker_pb2 as pb

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01".encode()

APP = """
import asyncio, sys
import dirtyd

def seen():
    if "opentelemetry.trace" not in sys.modules:
        return "not imported"
    from opentelemetry import baggage, trace
    context = trace.get_current_span().get_span_context()
    return [format(context.trace_id, "032x"), format(context.span_id, "016x"), context.trace_state.to_header(),
            dict(baggage.get_all())]

class App(dirtyd.DirtyApp):
    def sync(self): return seen()
    async def coroutine(self):
        await asyncio.sleep(0)
        return await asyncio.create_task(self.inner())
    async def inner(self): return seen()
    def generator(self):
        yield seen()
        yield seen()
    async def async_generator(self):
        yield seen()
        await asyncio.sleep(0)
        yield seen()
    async def coroutine_of_a_generator(self): return self.generator()
    def imported(self): return [name for name in sys.modules if name.startswith("opentelemetry")]
"""

NOTHING = ["0" * 32, "0" * 16, "", {}]

needs_api = pytest.mark.skipif(not importlib.util.find_spec("opentelemetry"), reason="opentelemetry-api is missing")

METADATA = {"traceparent": TRACEPARENT, "tracestate": b"vendor=x", "baggage": b"user=ann"}
EXPECTED = [TRACE, SPAN, "vendor=x", {"user": "ann"}]


@needs_api
@pytest.mark.parametrize("threads", [1, 2])
def test_the_trace_is_current_in_an_action_and_nowhere_else(worker, threads):
    arbiter = worker(APP, threads=threads)
    for action in ("sync", "coroutine"):
        assert arbiter.call(action, metadata=METADATA) == EXPECTED, action
        assert arbiter.call(action) == NOTHING, action
    for action in ("generator", "async_generator", "coroutine_of_a_generator"):
        for metadata, expected in ((METADATA, EXPECTED), ({"color": b"blue"}, NOTHING)):
            arbiter.start(action, stream=True, metadata=metadata)
            assert [arbiter.value("chunk"), arbiter.value("chunk")] == [expected, expected], action
            arbiter.expect("end")


@needs_api
def test_a_malformed_traceparent_is_no_trace(worker):
    arbiter = worker(APP)
    assert arbiter.call("sync", metadata={"traceparent": b"00-nonsense"}) == NOTHING
    assert arbiter.call("sync", metadata={"traceparent": b"\xff\xfe"}) == NOTHING


def test_nothing_is_imported_for_a_call_without_a_trace(worker):
    arbiter = worker(APP)
    assert arbiter.call("imported", metadata={"color": b"blue", "tracestate": b"vendor=x"}) == []


BROKEN = {
    "raises at import": "raise OSError('broken')",
    "raises at use": """
def extract(carrier): raise RuntimeError("broken")
def attach(context): raise RuntimeError("broken")
""",
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_package_fails_no_call(worker, tmp_path, how):
    package = tmp_path / "opentelemetry"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for name in ("context", "propagate"):
        (package / f"{name}.py").write_text(BROKEN[how])
    arbiter = worker(APP, env={"PYTHONPATH": python_path(tmp_path)})
    for _ in range(2):
        assert arbiter.call("sync", metadata=METADATA) == "not imported"
    assert "the call goes on without its trace" in arbiter.stderr()
    assert "broken" in arbiter.stderr()


def test_a_missing_package_is_looked_for_once(worker, tmp_path):
    finder = """
import sys
class Finder:
    looked = 0
    def find_spec(self, name, path=None, target=None):
        if name.startswith("opentelemetry"):
            Finder.looked += 1
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Finder())
"""
    arbiter = worker(finder + APP + "    def looked(self): return Finder.looked\n")
    for _ in range(3):
        assert arbiter.call("sync", metadata=METADATA) == "not imported"
    assert arbiter.call("looked") == 1
    assert arbiter.stderr() == ""


def test_an_interrupted_call_leaves_no_trace_behind(worker, started):
    source = (
        APP
        + """
    def sleeps(self):
        import time
        with open("started", "w") as started:
            started.write("x")
        time.sleep(100)
"""
    )
    arbiter = worker(source)
    call_id = arbiter.start("sleeps", metadata=METADATA)
    started.read()
    arbiter.cancel(call_id, pb.CANCEL_REASON_TIMEOUT)
    assert arbiter.expect("error").call_id == call_id
    assert arbiter.call("sync") in (NOTHING, "not imported")


def python_path(first):
    import os

    return os.pathsep.join(filter(None, [str(first), os.environ.get("PYTHONPATH")]))
