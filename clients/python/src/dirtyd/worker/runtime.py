"""The life of a worker: what each frame asks for, and how the worker ends."""

import atexit
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from dirtyd._proto.dirty.worker.v1.worker_pb2 import (
    CANCEL_REASON_TIMEOUT,
    AppFailed,
    AppImported,
    AppReady,
    ArbiterFrame,
    Pong,
    Welcome,
    WorkerFrame,
)
from dirtyd.version import __version__
from dirtyd.worker import stacks
from dirtyd.worker.actions import Codec, SyncRunner
from dirtyd.worker.credit import Credit
from dirtyd.worker.failures import describe
from dirtyd.worker.interrupt import Guard, MainGuard
from dirtyd.worker.link import ENVELOPE, LARGEST, Frame, Link, ProtocolError
from dirtyd.worker.loader import Apps, import_path
from dirtyd.worker.loop import EventLoop
from dirtyd.worker.protocol import JSON, LOWEST, METRICS, STACKS, Agreement, hello
from dirtyd.worker.reporting import Reporter
from dirtyd.worker.running import Running
from dirtyd.worker.threads import Pool
from dirtyd.worker.turn import Turn

# The seconds that a worker without an arbiter has to clean up, and that one has to exit after it has closed its apps.
LINGER = 2.0

log = logging.getLogger("dirtyd.worker")


@dataclass(frozen=True)
class Worker:
    """The argument of the hook `dirty_worker_init`."""

    id: int
    pid: int
    pool: str
    threads: int


class Runtime:
    """One worker. The main thread makes it and runs it."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._turn = Turn(link, self._dispatch, self._on_lost)
        #: The agreement until Welcome says more: what every arbiter speaks.
        self._agreed = Agreement(LOWEST)
        self._codec = Codec()
        self._loop = EventLoop(self._resume)
        self._apps = Apps(self._loop.settle)
        self._main = self._runner(MainGuard(), self._turn.wait)
        self._pool: Pool | None = None
        self._calls: dict[int, Running] = {}
        self._reporter: Reporter | None = None
        self._main_thread = threading.get_ident()
        self._stopping = False
        self._lost: Exception | None = None
        self._quiet = threading.Event()
        self._handlers: dict[str, Callable[[Any], None]] = {
            "welcome": self._on_welcome,
            "import_app": lambda frame: self._turn.jobs.append(partial(self._import_app, frame.app)),
            "init_app": lambda frame: self._turn.jobs.append(partial(self._init_app, frame.app)),
            "request": self._on_request,
            "cancel": self._on_cancel,
            "credit": self._on_credit,
            "ping": lambda frame: link.send(WorkerFrame(pong=Pong(nonce=frame.nonce))),
            "get_stacks": self._on_get_stacks,
            "shutdown": lambda frame: self.stop(),
        }

    def run(self) -> int:
        """Serve until the arbiter says to stop or is gone. Return the exit status."""
        version = ".".join(map(str, sys.version_info[:3]))
        runtime = f"python {version} dirtyd {__version__}"
        self._link.send(WorkerFrame(hello=hello(runtime, signal.SIGQUIT)))
        self._turn.serve(lambda: self._stopping and not self._calls)
        if self._lost and self._calls:
            self._quiet.wait(LINGER / 2)
        self._turn.run(partial(self._apps.close, _close_failed))
        if self._lost is None:
            self._flush()
            self._leave()
            return 0
        status = 0 if isinstance(self._lost, EOFError) else 1
        exit_within(LINGER, status)
        return status

    def _leave(self) -> None:
        """Let what the process still does come to its end. The arbiter bounds it, as long as there is one."""
        threading.Thread(target=self._exit_with_the_arbiter, name="dirtyd-leaving", daemon=True).start()
        main, own = threading.main_thread(), threading.current_thread()
        left = [thread.name for thread in threading.enumerate() if not thread.daemon and thread not in (main, own)]
        if left:
            log.warning("waits for its threads to end, for up to graceful_timeout: %s", ", ".join(left))

    def _exit_with_the_arbiter(self) -> None:
        self._link.drain()
        exit_within(LINGER, 0)

    def _flush(self) -> None:
        """Send what the metrics have gained."""
        if self._reporter:
            try:
                self._reporter.flush()
            except Exception:
                log.exception("failed to send the last metrics")

    def stop(self) -> None:
        """Finish the calls, then end. A signal handler may call this."""
        self._stopping = True
        self._link.main.wake()

    def _dispatch(self, frame: Frame) -> None:
        if type(frame) is not ArbiterFrame:
            return self._on_request(frame)
        kind = frame.WhichOneof("kind")
        if kind is None:
            raise ProtocolError("the arbiter sent a frame of an unknown kind")
        return self._handlers[kind](getattr(frame, kind))

    def _on_lost(self, error: Exception) -> None:
        """Interrupt what runs, because the socket is of no more use, and exit soon."""
        self._lost = error
        if not isinstance(error, EOFError):
            log.error("failed to read from the arbiter: %s", error, exc_info=not isinstance(error, ProtocolError))
        elif not self._stopping:
            log.warning("the arbiter is gone; this worker exits")
        exit_within(LINGER, 0 if isinstance(error, EOFError) else 1)
        for call in list(self._calls.values()):
            call.cancel(CANCEL_REASON_TIMEOUT)

    def _on_welcome(self, welcome: Welcome) -> None:
        self._agreed = Agreement.of(welcome)
        self._codec.version = self._agreed.version
        self._codec.json = JSON in self._agreed.capabilities
        if welcome.max_message_size:
            self._codec.limit = welcome.max_message_size
        self._link.limit = min(self._codec.limit + ENVELOPE, LARGEST)
        self._link.main.look_for(welcome.busy_wait_micros / 1e6)
        self._apps.threads = welcome.threads
        if METRICS in self._agreed.capabilities:
            self._reporter = Reporter(self._link)
            self._reporter.start()
            # What threads count that outlive close(), and functions at the exit.
            atexit.register(self._flush)
        if welcome.threads > 1:
            self._pool = Pool(welcome.threads, self._runner)
        if welcome.worker_init_hook:
            worker = Worker(welcome.worker_id, os.getpid(), welcome.pool, welcome.threads)
            self._turn.jobs.append(partial(self._run_hook, welcome.worker_init_hook, worker))

    def _run_hook(self, path: str, worker: Worker) -> None:
        try:
            self._loop.settle(import_path(path)(worker))
        except BaseException:
            log.exception("the hook dirty_worker_init (%s) failed", path)

    def _import_app(self, path: str) -> None:
        try:
            imported = WorkerFrame(app_imported=AppImported(app=path, workers=self._apps.workers(path)))
        except BaseException as error:
            imported = self._app_failed(path, error)
        self._link.send(imported)

    def _init_app(self, path: str) -> None:
        try:
            self._apps.load(path)
            loaded = WorkerFrame(app_ready=AppReady(app=path))
        except BaseException as error:
            loaded = self._app_failed(path, error)
        self._link.send(loaded)

    def _app_failed(self, path: str, error: BaseException) -> WorkerFrame:
        failed = AppFailed(app=path, failure=describe(error), needs_new_process=self._apps.spoiled)
        return WorkerFrame(app_failed=failed)

    def _on_request(self, request: Any) -> None:
        call = self._calls[request.call_id] = Running(request, self._link, self._on_end)
        if self._pool:
            self._pool.submit(lambda runner: runner.begin(call))
        else:
            self._turn.jobs.append(partial(self._main.begin, call))

    def _resume(self, call: Running, generator: Any) -> None:
        if self._pool:
            self._pool.submit(lambda runner: runner.resume(call, generator))
        else:
            self._turn.post(partial(self._main.resume, call, generator))

    def _on_end(self, call_id: int) -> None:
        self._calls.pop(call_id, None)
        if (self._stopping or self._lost) and not self._calls:
            self._quiet.set()
            self._link.main.wake()

    def _on_cancel(self, cancel: Any) -> None:
        if call := self._calls.get(cancel.call_id):
            call.cancel(cancel.reason)

    def _on_credit(self, credit: Any) -> None:
        call = self._calls.get(credit.call_id)
        if call and call.credit:
            call.credit.add(credit.chunks, credit.bytes)

    def _on_get_stacks(self, frame: Any) -> None:
        if STACKS in self._agreed.capabilities:
            calls = list(self._calls.values())
            self._link.send(stacks.collect(frame.nonce, calls, self._main_thread, self._codec.limit))

    def _runner(self, guard: Guard, wait: Callable[[Credit], None]) -> SyncRunner:
        return SyncRunner(self._apps, self._codec, self._loop, guard, wait)


def exit_within(seconds: float, status: int) -> None:
    """End the process after some seconds, whatever hangs in it: threads, atexit functions, native code."""
    timer = threading.Timer(seconds, os._exit, (status,))
    timer.daemon = True
    timer.start()


def _close_failed(path: str, error: BaseException) -> None:
    log.error("close() of the app %s failed", path, exc_info=error)
