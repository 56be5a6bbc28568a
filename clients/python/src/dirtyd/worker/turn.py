"""Which thread reads the socket, where the main thread both reads and runs calls.

An idle worker waits in one place: in `Turn._read`, on the main thread. The main
thread itself runs what it reads, so that a short call costs no hand-over between
threads.

    reader = MAIN     the main thread reads: idle, or waiting for credit
    reader = NOBODY   the main thread runs a job; frames wait in the socket
    reader = WATCHER  the job has run for a tick or two; the watcher reads, so
                      that it notices Cancel, Credit, Ping and the end of file

The main thread takes its turn back at the end of the job, at once; it waits only
if the watcher is in the middle of a read. The watcher ticks only while there is
traffic. When traffic ends, it returns the memory of large messages to the system.
An idle worker never wakes up.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

from dirtyd.worker.credit import Credit
from dirtyd.worker.link import Frame, Link

TICK = 0.005
# While the watcher finds the main thread waiting, jobs are short, and its ticks grow to this: with many workers on few
# cores, short ticks of all of them would cost more than the jobs.
LONGEST_TICK = 0.02
# The watcher goes to sleep after this time without a new job.
QUIET = 0.1

NOBODY, MAIN, WATCHER = range(3)

Job = Callable[[], None]


class Turn:
    """The read side of the worker. It calls `dispatch` with each frame, in order, on the thread that reads.

    It calls `lost` with the exception that has ended the reading: EOFError if the
    arbiter is gone, any other for a fault.
    """

    def __init__(self, link: Link, dispatch: Callable[[Frame], None], lost: Callable[[Exception], None]) -> None:
        self._link, self._dispatch, self._lost = link, dispatch, lost
        #: What the main thread does next. `dispatch` appends to it; other threads use `post`.
        self.jobs: deque[Job] = deque()
        self._ended = False
        self._reader = MAIN
        # True while the watcher reads what it has found.
        self._reading = False
        self._serial = 0
        self._lock = threading.Lock()
        # Only for waiting. To take the lock itself is four times faster.
        self._changed = threading.Condition(self._lock)
        self._awake = threading.Event()
        threading.Thread(target=self._watch, name="dirtyd-watcher", daemon=True).start()

    def post(self, job: Job) -> None:
        """Let the main thread run `job`. For any thread."""
        self.jobs.append(job)
        self._link.main.wake()

    def serve(self, done: Callable[[], bool]) -> None:
        """Read, and run jobs on the main thread, until `done()` or until the arbiter is gone."""
        while not self._ended:
            if self.jobs:
                self.run(self.jobs.popleft())
            elif done():
                return
            else:
                self._read()

    def run(self, job: Job) -> None:
        """Run one job on the main thread."""
        self._leave()
        try:
            job()
        finally:
            self._return()

    def wait(self, credit: Credit) -> None:
        """Block inside a job until there is credit or the call is cancelled."""
        while not credit.ready():
            self._return()
            # The watcher may have read the credit before it gave the turn back; from here on only this thread reads.
            if not credit.ready():
                self._read()
            self._leave()

    def _leave(self) -> None:
        """Note that the main thread stops reading."""
        with self._lock:
            self._reader = NOBODY
            self._serial += 1
        if not self._awake.is_set():
            self._awake.set()

    def _return(self) -> None:
        """Give the turn back to the main thread."""
        with self._lock:
            while self._reading:
                self._changed.wait()
            watched = self._reader == WATCHER
            self._reader = MAIN
        if watched:
            self._link.watcher.wake()

    def _read(self) -> None:
        """Wait for frames, or for a wake, and dispatch the frames that came."""
        if self._link.main.wait():
            self._receive()

    def _receive(self) -> None:
        try:
            for frame in self._link.receive():
                self._dispatch(frame)
        except Exception as error:
            self._ended = True
            self._lost(error)

    def _watch(self) -> None:
        while True:
            self._awake.wait()
            self._tick_while_busy()
            self._link.memory.give_back()
            self._awake.clear()
            with self._lock:
                # A job that has just begun saw the flag still set, and relies on this check.
                if self._reader == NOBODY:
                    self._awake.set()

    def _tick_while_busy(self) -> None:
        seen, quiet, tick = -1, 0.0, TICK
        while quiet < QUIET:
            time.sleep(tick)
            with self._lock:
                same = self._serial == seen
                seen = self._serial
                waits = self._reader == MAIN
                quiet = quiet + tick if same and waits else 0.0
                tick = min(2 * tick, LONGEST_TICK) if waits else TICK
                take = same and self._reader == NOBODY and not self._ended
                if take:
                    self._reader = WATCHER
            if take:
                self._read_for_main()

    def _read_for_main(self) -> None:
        """Read until the main thread has taken its turn back."""
        while not self._ended:
            readable = self._link.watcher.wait()
            with self._lock:
                if self._reader != WATCHER:
                    return
                self._reading = readable
            if readable:
                self._receive()
                with self._lock:
                    self._reading = False
                    self._changed.notify_all()
