"""Raise CallTimeout in the code of an action, and nowhere else.

A guard belongs to one thread and runs user code for it. `interrupt(call)`,
from the thread that reads, raises in that code if it still serves this call.
It raises at most once for each call: an action that swallows it is the
arbiter's to kill.

The main thread is interrupted by a signal, which also ends blocking system
calls such as time.sleep. Other threads get an asynchronous exception, which
takes effect at the next bytecode.
"""

import ctypes
import signal
import threading
from collections.abc import Callable
from typing import Any, Protocol

from dirtyd.errors import CallTimeout
from dirtyd.worker.running import Running

# Ignored by default, so that one that arrives in a forked child does no harm.
SIGNAL = signal.SIGURG


class Guard(Protocol):
    """What runs user code of one thread."""

    def run(self, call: Running, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call `function`. An interrupt can surface until this returns or raises, not later."""

    def interrupt(self, call: Running) -> None:
        """Raise CallTimeout in the code that `run` runs, if it is of this call."""


class MainGuard:
    """The guard of the main thread."""

    def __init__(self) -> None:
        self._armed: Running | None = None
        self._thread = threading.get_ident()
        signal.signal(SIGNAL, self._on_signal)

    def run(self, call: Running, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        try:
            self._armed = call
            # Armed first, then looked: one of the two sides sees the other.
            if call.timed_out:
                self._raise_if_due(call)
            return function(*args, **kwargs)
        finally:
            # Here too the signal may raise; the caller of run() catches it as if the action had.
            self._armed = None

    def interrupt(self, call: Running) -> None:
        if self._armed is call:
            signal.pthread_kill(self._thread, SIGNAL)

    def _on_signal(self, _signum: int, _frame: object) -> None:
        if self._armed is not None:
            self._raise_if_due(self._armed)

    @staticmethod
    def _raise_if_due(call: Running) -> None:
        if call.timed_out and not call.interrupted:
            call.interrupted = True
            raise CallTimeout(f"{call.name} ran for its whole timeout")


class ThreadGuard:
    """The guard of a thread of the pool; to be made in that thread."""

    def __init__(self) -> None:
        self._armed: Running | None = None
        self._thread = ctypes.c_ulong(threading.get_ident())
        # Held while armed is read or changed, so that no exception is aimed at code that has just ended.
        self._lock = threading.Lock()

    def run(self, call: Running, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        try:
            try:
                with self._lock:
                    self._armed = call
                if call.timed_out and not call.interrupted:
                    self.interrupt(call)
                return function(*args, **kwargs)
            finally:
                self._disarm()
        except CallTimeout:
            # Perhaps it surfaced inside _disarm. There is only one, so this time nothing cuts it short.
            self._disarm()
            raise

    def interrupt(self, call: Running) -> None:
        with self._lock:
            if self._armed is call and not call.interrupted:
                call.interrupted = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(self._thread, ctypes.py_object(CallTimeout))

    def _disarm(self) -> None:
        with self._lock:
            if self._armed is not None and self._armed.interrupted:
                # Perhaps it has not surfaced yet: take it back.
                ctypes.pythonapi.PyThreadState_SetAsyncExc(self._thread, None)
            self._armed = None
