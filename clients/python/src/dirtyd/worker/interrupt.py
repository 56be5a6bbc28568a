"""Raise CallTimeout in the code of an action, and nowhere else.

A guard belongs to one thread and runs user code on it. `interrupt(call)`, which
the thread that reads calls, raises in that code if it still serves this call. It
raises at most once for each call: if an action swallows the exception, the
arbiter kills the worker.

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

# By default a process ignores this signal, so that it does no harm in a forked child.
SIGNAL = signal.SIGURG


class Guard(Protocol):
    """Runs user code on one thread."""

    def run(self, call: Running, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call `function`. An interrupt can take effect until this returns or raises, and not later."""

    def interrupt(self, call: Running) -> None:
        """Raise CallTimeout in the code that `run` runs, if that code serves this call."""


class MainGuard:
    """The guard of the main thread."""

    def __init__(self) -> None:
        self._armed: Running | None = None
        self._thread = threading.get_ident()
        signal.signal(SIGNAL, self._on_signal)

    def run(self, call: Running, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        try:
            self._armed = call
            # First arm, then look. Whoever cancels does it the other way round, so that one of the two sees the other.
            if call.timed_out:
                self._raise_if_due(call)
            return function(*args, **kwargs)
        finally:
            # The signal may raise here too. The caller of run() catches that as if the action had raised.
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
    """The guard of a thread of the pool. That thread must make it."""

    def __init__(self) -> None:
        self._armed: Running | None = None
        self._thread = ctypes.c_ulong(threading.get_ident())
        # Protects `_armed`, so that no exception hits code that runs after the action.
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
            # The exception may have been raised inside _disarm. There is only one, so that now nothing interrupts it.
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
                # The exception may not have been raised yet: take it back.
                ctypes.pythonapi.PyThreadState_SetAsyncExc(self._thread, None)
            self._armed = None
