"""Sync actions on a pool of threads, for workers that run several calls at once."""

import os
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue

from dirtyd.worker.actions import SyncRunner
from dirtyd.worker.credit import Credit
from dirtyd.worker.interrupt import Guard, ThreadGuard

Job = Callable[[SyncRunner], None]


class Pool:
    """`count` threads, each with a runner of its own. The arbiter never sends more calls at a time."""

    def __init__(self, count: int, runner: Callable[[Guard, Callable[[Credit], None]], SyncRunner]) -> None:
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._runner = runner
        for number in range(1, count + 1):
            threading.Thread(target=self._work, name=f"dirtyd-action-{number}", daemon=True).start()

    def submit(self, job: Job) -> None:
        """Run `job` on the next free thread."""
        self._jobs.put(job)

    def _work(self) -> None:
        runner, worker = self._runner(ThreadGuard(), _wait), os.getpid()
        while os.getpid() == worker:
            self._jobs.get()(runner)
        # A child that the action has forked came back from it: nobody has anything else for it to do.
        sys.stdout.flush()
        os._exit(0)


def _wait(credit: Credit) -> None:
    ready = threading.Event()
    credit.when_ready(ready.set)
    ready.wait()
