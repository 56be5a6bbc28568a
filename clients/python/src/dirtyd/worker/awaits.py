"""What a task waits for: its coroutine, what that awaits, and so on, as far as the interpreter tells."""

import asyncio
import gc
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any

from dirtyd.call import CURRENT

# Deeper than any stack that is shown.
_DEPTH = 1000


def chain(coroutine: Any) -> tuple[list[FrameType], str]:
    """Return the frames of a coroutine and of what it awaits, outermost first, and what they wait for in the end."""
    frames: list[FrameType] = []
    awaited = coroutine
    for _ in range(_DEPTH):
        if isinstance(awaited, CoroutineType):
            frame, is_running, following = awaited.cr_frame, awaited.cr_running, awaited.cr_await
        elif isinstance(awaited, GeneratorType):
            frame, is_running, following = awaited.gi_frame, awaited.gi_running, awaited.gi_yieldfrom
        elif isinstance(awaited, AsyncGeneratorType):
            frame, is_running, following = awaited.ag_frame, False, awaited.ag_await
        else:
            following = _inside(awaited)
            if following is None or isinstance(following, asyncio.Future):
                return frames, _waits_for(following)
            awaited = following
            continue
        if frame is not None:
            frames.append(frame)
        if is_running:
            return frames, "it runs now; see its thread"
        if following is None:
            return frames, ""
        awaited = following
    return frames, ""


def _inside(awaited: Any) -> Any:
    """Return what an object of the interpreter wraps, such as a step of an async generator or the wait for a future."""
    if isinstance(awaited, asyncio.Future):
        return awaited
    if type(awaited).__module__ not in ("builtins", "_asyncio"):
        return None
    for inner in gc.get_referents(awaited):
        if isinstance(inner, CoroutineType | GeneratorType | AsyncGeneratorType | asyncio.Future):
            return inner
    return None


def _waits_for(future: Any) -> str:
    if isinstance(future, asyncio.Task):
        return f"waits for the task {future.get_name()}"
    return "waits for a future" if future is not None else ""


def context_call(task: Any) -> Any:
    """Return the call in whose context a task runs; None if there is none, or before Python 3.12."""
    get_context = getattr(task, "get_context", None)
    return get_context().get(CURRENT) if get_context else None
