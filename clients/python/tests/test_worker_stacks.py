"""What a worker answers to GetStacks."""

import sys
from pathlib import Path

import pytest

from dirtyd._proto.dirty.v1 import stack_pb2 as stacks
from dirtyd._proto.dirty.worker.v1 import worker_pb2 as pb

AGREED = ["stacks"]

APP = """
import asyncio, threading, time
import dirtyd

def deep(number, last):
    return deep(number - 1, last) if number else last()

def meet():
    with open("started", "w") as started:
        started.write("x")
    with open("finish") as finish:
        finish.read(1)

class App(dirtyd.DirtyApp):
    def alive(self): return True
    async def alive_async(self): return True

    def blocks(self):
        meet()

    def recurses(self):
        deep(500, meet)

    def streams(self):
        yield 1
        yield 2  # waits

    async def awaits(self):
        await self.waits()

    async def waits(self):
        self.event = asyncio.Event()
        self.child = asyncio.create_task(self.event.wait(), name="child")
        with open("started", "w") as started:
            started.write("x")
        await self.child

    async def release(self):
        self.event.set()

    async def streams_async(self):
        yield 1
        await self.waits()

    def runs_a_loop(self):
        async def inner():
            await asyncio.to_thread(meet)
        asyncio.run(inner())

    def starts_a_thread(self):
        threading.Thread(target=meet, name="of-the-app", daemon=True).start()
"""


def get(arbiter, nonce=7):
    """Return the stacks of a worker by name."""
    arbiter.send(get_stacks=pb.GetStacks(nonce=nonce))
    answer = arbiter.expect("stacks")
    assert answer.nonce == nonce
    return answer.stacks


def of_call(found, call_id):
    (stack,) = [stack for stack in found if stack.call_id == call_id]
    return stack


def functions(stack):
    return [frame.function.rpartition(".")[2] for frame in stack.frames]


def named(found, name):
    (stack,) = [stack for stack in found if stack.name == name]
    return stack


def test_a_call_that_blocks_the_main_thread_shows_where(worker, started, finish, tmp_path):
    arbiter = worker(APP, capabilities=AGREED)
    call_id = arbiter.start("blocks")
    started.read()
    found = get(arbiter)
    stack = found[0]
    assert (stack.name, stack.kind, stack.call_id) == ("MainThread", stacks.STACK_KIND_THREAD, call_id)
    assert functions(stack) == ["__call__", "blocks", "meet"] or functions(stack) == ["blocks", "meet"]
    frame = stack.frames[-1]
    assert Path(frame.file) == tmp_path / "apps.py"
    assert frame.source == (tmp_path / "apps.py").read_text().splitlines()[frame.line - 1].strip()
    assert frame.source in ('with open("finish") as finish:', "finish.read(1)")
    if sys.version_info >= (3, 11):
        assert stack.frames[-2].function == "App.blocks"
    finish.write()
    assert arbiter.expect("response").call_id == call_id


def test_the_threads_of_the_runtime_are_listed_and_run_no_call(worker):
    arbiter = worker(APP, capabilities=AGREED)
    found = get(arbiter)
    watcher = named(found, "dirtyd-watcher")
    assert (watcher.call_id, watcher.note) == (0, "a thread of the worker runtime")
    assert watcher.frames
    assert named(found, "MainThread").call_id == 0


def test_calls_on_a_pool_of_threads_come_first_and_have_their_ids(worker, started, finish):
    arbiter = worker(APP, capabilities=AGREED, threads=3)
    ids = [arbiter.start("blocks"), arbiter.start("blocks")]
    seen = started.read()
    while len(seen) < 2:
        seen += started.read()
    found = get(arbiter)
    assert sorted(stack.call_id for stack in found[:2]) == ids
    assert all(stack.name.startswith("dirtyd-action-") and not stack.note for stack in found[:2])
    assert not any(stack.call_id for stack in found[2:])
    finish.write()
    finish.write()


def test_a_task_shows_what_it_awaits_and_tasks_that_it_started(worker, started):
    arbiter = worker(APP, capabilities=AGREED, threads=2)
    call_id = arbiter.start("awaits")
    started.read()
    arbiter.call("alive_async")  # Once the loop runs it, the other task waits.
    found = get(arbiter)
    stack = next(stack for stack in found if stack.call_id == call_id and stack.name != "child")
    assert stack.kind == stacks.STACK_KIND_TASK
    assert functions(stack) == ["awaits", "waits"]
    assert stack.frames[-1].source == "await self.child"
    assert stack.note == "waits for the task child"
    child = named(found, "child")
    assert functions(child)[-1] == "wait"
    assert child.call_id == (call_id if sys.version_info >= (3, 12) else 0)
    arbiter.call("release")
    assert arbiter.expect("response").call_id == call_id


def test_an_async_generator_shows_what_it_awaits(worker, started):
    arbiter = worker(APP, capabilities=AGREED, threads=2)
    call_id = arbiter.start("streams_async", stream=True)
    assert arbiter.value("chunk") == 1
    started.read()
    arbiter.call("alive_async")  # Once the loop runs it, the other task waits.
    stack = next(stack for stack in get(arbiter) if stack.call_id == call_id and stack.name != "child")
    assert functions(stack) == ["streams_async", "waits"]


def test_a_generator_that_waits_for_its_reader_shows_where(worker):
    arbiter = worker(APP, capabilities=AGREED)
    call_id = arbiter.start("streams", stream=True, chunks=1)
    assert arbiter.value("chunk") == 1
    # The worker reads while it waits for credit; before that it runs the generator.
    while not (stack := of_call(get(arbiter), call_id)).note:
        pass
    assert stack.note == "the stream waits for its reader"
    assert functions(stack)[0] == "streams"
    assert stack.frames[0].source == "yield 2  # waits"
    arbiter.send(credit=pb.Credit(call_id=call_id, chunks=9, bytes=9))
    assert arbiter.value("chunk") == 2
    arbiter.expect("end")


def test_a_loop_of_the_app_has_its_tasks_shown(worker, started, finish):
    arbiter = worker(APP, capabilities=AGREED)
    call_id = arbiter.start("runs_a_loop")
    started.read()
    found = get(arbiter)
    inner = next(stack for stack in found if stack.kind == stacks.STACK_KIND_TASK and "inner" in functions(stack))
    assert inner.note == "waits for a future"
    assert of_call([stack for stack in found if stack.kind == stacks.STACK_KIND_THREAD], call_id).name == "MainThread"
    finish.write()
    arbiter.expect("response")


def test_a_thread_of_the_app_is_listed_and_runs_no_call(worker, started, finish):
    arbiter = worker(APP, capabilities=AGREED)
    arbiter.call("starts_a_thread")
    started.read()
    stack = named(get(arbiter), "of-the-app")
    assert (stack.call_id, functions(stack)[-1], stack.note) == (0, "meet", "")
    finish.write()


def test_a_deep_stack_keeps_its_innermost_frames(worker, started, finish):
    arbiter = worker(APP, capabilities=AGREED)
    call_id = arbiter.start("recurses")
    started.read()
    stack = of_call(get(arbiter), call_id)
    assert len(stack.frames) == 200
    assert functions(stack)[-2:] == ["deep", "meet"]
    assert "outer frames are left out" in stack.note
    finish.write()


def test_an_answer_is_no_larger_than_a_message_may_be(worker, started, finish):
    arbiter = worker(APP, capabilities=AGREED, max_message_size=2000)
    call_id = arbiter.start("recurses")
    started.read()
    arbiter.send(get_stacks=pb.GetStacks(nonce=1))
    frame = arbiter.receive()
    assert frame.ByteSize() <= 2000
    stack = of_call(frame.stacks.stacks, call_id)
    assert functions(stack)[-1] == "meet"
    assert stack.note == "only the innermost frames fit into the answer"
    finish.write()


def test_without_the_capability_there_is_no_answer(worker):
    arbiter = worker(APP)
    arbiter.send(get_stacks=pb.GetStacks(nonce=1))
    arbiter.ping()


def test_greenlets_show_where_they_wait(worker, started, finish):
    source = """
import gevent, os
from gevent.event import Event
import dirtyd

class App(dirtyd.DirtyApp):
    def waits(self):
        event = Event()
        def inner(): event.wait()
        greenlet = gevent.spawn(inner)
        gevent.sleep(0)
        os.write(os.open("started", os.O_WRONLY), b"x")
        self.joins(greenlet)
    def joins(self, greenlet):
        greenlet.join(timeout=1000)
"""
    arbiter = worker(source, capabilities=AGREED)
    call_id = arbiter.start("waits")
    started.read()
    # The action has told before it waits.
    found = get(arbiter)
    while not any("joins" in functions(stack) for stack in found if stack.call_id == call_id):
        found = get(arbiter)
    assert any("inner" in functions(stack) for stack in found if not stack.call_id)
    arbiter.cancel(call_id, pb.CANCEL_REASON_TIMEOUT)
    arbiter.expect("error")


@pytest.mark.parametrize("threads", [1, 2])
def test_many_looks_disturb_no_call(worker, threads):
    arbiter = worker(APP, capabilities=AGREED, threads=threads)
    for _ in range(50):
        call_id = arbiter.start("alive")
        arbiter.send(get_stacks=pb.GetStacks(nonce=call_id))
        frames = [arbiter.receive(), arbiter.receive()]
        kinds = sorted(frame.WhichOneof("kind") for frame in frames)
        assert kinds == ["response", "stacks"]


def test_a_loader_that_fails_costs_only_the_source(worker, started, finish):
    source = """
class Loader:
    def get_source(self, name): raise RuntimeError("no source")
code = compile('def gone(meet): meet()', 'nowhere.py', 'exec')
exec(code, globals_of_gone := {"__name__": "nowhere", "__loader__": Loader()})
"""
    arbiter = worker(APP + "    def in_gone(self): globals_of_gone['gone'](meet)\n" + source, capabilities=AGREED)
    call_id = arbiter.start("in_gone")
    started.read()
    stack = of_call(get(arbiter), call_id)
    assert functions(stack)[-3:] == ["in_gone", "gone", "meet"]
    assert (stack.frames[-2].file, stack.frames[-2].source) == ("nowhere.py", "")
    finish.write()
