"""The contract of the worker conformance suite, in Python."""

import asyncio
import os
import time
from pathlib import Path

import dirtyd

from conformance import Conformance

COUNTED = dirtyd.metrics.counter("counted", "What the suite counts", unit="things")
LEVEL = dirtyd.metrics.gauge("level", "A gauge", merge="max")
STEP = dirtyd.metrics.histogram("step", "A histogram", unit="seconds", bounds=(1, 2))

DIRECTORY = Path(os.environ["CONFORMANT_DIR"])


class App(dirtyd.DirtyApp, Conformance):
    workers = 2

    def close(self):
        COUNTED.inc(1, kind="close")
        (DIRECTORY / "closed").touch()

    def context(self):
        call = dirtyd.current_call()
        return {
            "request_id": call.request_id,
            "color": dict(call.metadata)["color"],
            "cancelled": call.cancelled,
            "time_left": call.remaining(),
        }

    def chosen(self):
        raise dirtyd.AppError("no such row", code="NOT_FOUND", metadata={"row": "7"})

    def worst(self):
        raise SystemExit("on purpose")

    async def nap(self, seconds):
        await asyncio.sleep(seconds)

    def busy(self, seconds):
        time.sleep(seconds)

    def measure(self, amount, kind):
        COUNTED.inc(amount, kind=kind)

    def measure_all(self, value):
        LEVEL.set(value)
        STEP.observe(value)

    def measure_and_be_busy(self, amount, seconds):
        COUNTED.inc(amount, kind="busy")
        self.busy(seconds)

    def traceparent(self):
        return dirtyd.current_call().metadata.get("traceparent")


class Flaky(dirtyd.DirtyApp):
    def init(self):
        if not (DIRECTORY / "healed").exists():
            raise RuntimeError("not healed yet")
