"""Async actions on the one event loop of the worker, in a thread of its own.

There is one loop for the whole process, so that an app can keep connections and
other state that is bound to a loop, whichever of its methods is called.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from dirtyd.worker.actions import report, streaming_credit
from dirtyd.worker.credit import Credit
from dirtyd.worker.green import has_patched_threads
from dirtyd.worker.running import Running

log = logging.getLogger("dirtyd.worker")


class EventLoop:
    """The loop. Its thread starts with the first coroutine. `resume` takes the generators that coroutines return."""

    def __init__(self, resume: Callable[[Running, Any], None]) -> None:
        self._resume = resume
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting = threading.Lock()
        # The loop itself refers to its tasks only weakly.
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, call: Running, result: Any) -> None:
        """Follow `result` to the end of the call, in the current context. For any thread but that of the loop."""
        self._running().call_soon_threadsafe(self._spawn, call, result)

    def settle(self, result: Any) -> Any:
        """Return what an init() or close() has returned; if that is a coroutine, wait for it on this thread."""
        if not hasattr(type(result), "__await__"):
            return result
        return asyncio.run_coroutine_threadsafe(_awaited(result), self._running()).result()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                if has_patched_threads():
                    raise RuntimeError("gevent has patched threading in this worker, where async actions cannot run")
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._serve, args=(self._loop,), name="dirtyd-loop", daemon=True).start()
            return self._loop

    @staticmethod
    def _serve(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        while True:
            try:
                loop.run_forever()
            except BaseException:  # A SystemExit in a task that an action has started must not end the other tasks.
                log.exception("a task on the event loop tried to end it")

    def _spawn(self, call: Running, result: Any) -> None:
        loop = asyncio.get_running_loop()
        if call.cancelled and hasattr(result, "close"):
            result.close()
            return call.end_cancelled()
        task = loop.create_task(self._follow(call, result))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # The loop runs callbacks in order: the task has begun before it can be cancelled.
        call.cancel_task = lambda: _call_soon(loop, task.cancel)
        if call.cancelled:
            call.cancel_task()
        return None

    async def _follow(self, call: Running, result: Any) -> None:
        try:
            while hasattr(type(result), "__await__"):
                result = await result
            if isinstance(result, AsyncGeneratorType):
                await self._stream(call, result)
            elif isinstance(result, GeneratorType):
                call.cancel_task = None
                self._resume(call, result)
            else:
                call.respond(call.seal(result, "result"))
        except asyncio.CancelledError as error:
            if call.cancelled:
                call.end_cancelled()
            else:
                report(call, error)
        except BaseException as error:
            report(call, error)

    async def _stream(self, call: Running, generator: AsyncGenerator[Any, None]) -> None:
        try:
            credit = streaming_credit(call)
            async for chunk in generator:
                payload = call.seal(chunk, "chunk")
                while not credit.take(payload) and not call.cancelled:
                    await _ready(credit)
                if call.cancelled:
                    raise asyncio.CancelledError
                call.chunk(payload)
                # A generator that never waits would otherwise keep the loop from everything else.
                await asyncio.sleep(0)
        finally:
            await generator.aclose()
        call.end()


async def _awaited(result: Any) -> Any:
    return await result


async def _ready(credit: Credit) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    credit.when_ready(lambda: _call_soon(loop, ready.set))
    await ready.wait()


def _call_soon(loop: asyncio.AbstractEventLoop, function: Callable[[], Any]) -> None:
    with suppress(RuntimeError):  # The loop is closed: the process is about to end.
        loop.call_soon_threadsafe(function)
