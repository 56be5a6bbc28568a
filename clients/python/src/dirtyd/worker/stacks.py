"""What the threads, the tasks and the greenlets of this process do now.

Any thread may look, while all others go on. A stack runs a call if it has the
frame of the runtime in which calls run: nothing has to be noted for that while
calls run.
"""

import asyncio
import linecache
import logging
import sys
import threading
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from dirtyd._proto.dirty.v1.stack_pb2 import STACK_KIND_TASK, STACK_KIND_THREAD, Stack, StackKind
from dirtyd._proto.dirty.worker.v1.worker_pb2 import Stacks, WorkerFrame
from dirtyd.metrics.names import clean
from dirtyd.worker.actions import SyncRunner
from dirtyd.worker.awaits import chain, context_call
from dirtyd.worker.failures import is_own
from dirtyd.worker.green import suspended_greenlets
from dirtyd.worker.loop import EventLoop
from dirtyd.worker.running import Running

MAX_FRAMES = 200
MAX_STACKS = 1000
MAX_TEXT = 300
# The bytes of a frame around its stacks: the nonce, tags and lengths.
_AROUND = 64

# The frames in which calls run. Each has a local variable `call`; the stream of a generator has it as `generator`.
_CALLS = {SyncRunner._in_call.__code__, EventLoop._follow.__code__}
_STREAM = SyncRunner._stream.__code__
_FOREVER = asyncio.BaseEventLoop.run_forever.__code__

_RUNTIME = "a thread of the worker runtime"

log = logging.getLogger("dirtyd.worker")


def collect(nonce: int, calls: Iterable[Running], main_thread: int, limit: int) -> WorkerFrame:
    """Return the answer to GetStacks, encoded in no more than `limit` bytes."""
    try:
        stacks = _look(calls, main_thread)
    except Exception as error:  # Objects of the app are asked, which may do anything.
        log.exception("failed to look at the stacks")
        stacks = [Stack(note=_text(f"the worker failed to look: {type(error).__name__}"))]
    answer = WorkerFrame(stacks=Stacks(nonce=nonce, stacks=stacks[:MAX_STACKS]))
    _shrink(answer.stacks, limit - _AROUND)
    return answer


def _look(calls: Iterable[Running], main_thread: int) -> list[Stack]:
    linecache.checkcache()  # An app may have been imported afresh from a corrected file.
    frames = sys._current_frames()
    stacks = [*_threads(frames, main_thread), *_greenlets(), *_tasks(frames.values(), calls)]
    # Threads first, and first those that run calls.
    stacks.sort(key=lambda stack: (stack.kind, not stack.call_id))
    return stacks


def _shrink(stacks: Stacks, limit: int) -> None:
    """Leave out frames, the outer ones first, then stacks, the last ones first, until the message fits."""
    keep = MAX_FRAMES
    while stacks.ByteSize() > limit and keep:
        keep //= 2
        for stack in stacks.stacks:
            left_out = len(stack.frames) - keep
            if left_out > 0:
                del stack.frames[:left_out]
                stack.note = "only the innermost frames fit into the answer"
    while stacks.ByteSize() > limit and stacks.stacks:
        del stacks.stacks[len(stacks.stacks) // 2 :]


def _threads(frames: dict[int, FrameType], main_thread: int) -> Iterator[Stack]:
    # What gevent patches has other numbers for threads than the interpreter.
    names = {main_thread: "MainThread"}
    names.update((thread.ident, thread.name) for thread in threading.enumerate() if thread.ident is not None)
    for number, frame in frames.items():
        name = names.get(number, f"thread {number}")
        stack = _stack(name, STACK_KIND_THREAD, _outwards(frame))
        if name.startswith("dirtyd-") and not stack.call_id:
            stack.note = stack.note or _RUNTIME
        yield stack


def _greenlets() -> Iterator[Stack]:
    for greenlet in suspended_greenlets():
        yield _stack(_name(greenlet), STACK_KIND_TASK, _outwards(greenlet.gr_frame))


def _tasks(frames: Iterable[FrameType], calls: Iterable[Running]) -> Iterator[Stack]:
    calls_by_public = {id(call.public): call.id for call in calls}
    for loop in _loops(frames):
        for task in _tasks_of(loop):
            inwards, waits_for = chain(task.get_coro())
            stack = _stack(task.get_name(), STACK_KIND_TASK, reversed(inwards))
            stack.note = stack.note or waits_for
            stack.call_id = stack.call_id or calls_by_public.get(id(context_call(task)), 0)
            yield stack


def _loops(frames: Iterable[FrameType]) -> set[Any]:
    """Return the event loops that run on threads: that of the runtime, and those of apps."""
    loops = set[Any]()
    for innermost in frames:
        frame: FrameType | None = innermost
        while frame is not None:
            if frame.f_code is _FOREVER:
                loops.add(frame.f_locals.get("self"))
            frame = frame.f_back
    return loops


def _tasks_of(loop: Any) -> Iterable[Any]:
    try:
        return asyncio.all_tasks(loop)
    except RuntimeError:  # The set of all tasks changed while it was copied, again and again.
        return ()


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        if frame.f_code.co_filename != __file__:
            yield frame
        frame = frame.f_back


def _stack(name: str, kind: StackKind, outwards: Iterable[FrameType]) -> Stack:
    """Return a stack whose frames come innermost first."""
    stack = Stack(name=_text(name), kind=kind)
    frames: list[FrameType] = []
    outer = 0
    for frame in outwards:
        if frame.f_code in _CALLS:
            stack.call_id = getattr(frame.f_locals.get("call"), "id", 0)
            break
        if frame.f_code is _STREAM and (suspended := _suspended(frame.f_locals.get("generator"))):
            stack.note = "the stream waits for its reader"
            frames = [suspended]
        elif len(frames) < MAX_FRAMES:
            frames.append(frame)
        else:
            outer += 1
    if stack.call_id:
        # What the runtime does around the code of the app is of no interest, unless there is nothing else.
        while len(frames) > 1 and is_own(frames[-1].f_code.co_filename):
            frames.pop()
    if outer:
        stack.note = f"{outer} outer frames are left out"
    for frame in reversed(frames):
        _add(stack, frame)
    return stack


def _suspended(generator: Any) -> FrameType | None:
    return None if getattr(generator, "gi_running", True) else getattr(generator, "gi_frame", None)


def _add(stack: Stack, frame: FrameType) -> None:
    code, line = frame.f_code, frame.f_lineno or 0
    name = getattr(code, "co_qualname", code.co_name)  # Python 3.11 has qualified names.
    source = _source(code.co_filename, line, frame)
    stack.frames.add(function=_text(name), file=_text(code.co_filename), line=line, source=_text(source))


def _source(filename: str, line: int, frame: FrameType) -> str:
    try:
        return linecache.getline(filename, line, frame.f_globals).strip()
    except Exception:  # The loader of the app's module may be anybody's.
        return ""


def _name(greenlet: Any) -> str:
    return str(getattr(greenlet, "name", "") or type(greenlet).__name__)


def _text(text: str) -> str:
    return clean(text[:MAX_TEXT])
