"""The contract of the worker conformance suite, in Python."""

import asyncio
import os
import time
from pathlib import Path

import dirtyd

from conformance import Conformance

DIRECTORY = Path(os.environ["CONFORMANT_DIR"])


class App(dirtyd.DirtyApp, Conformance):
    workers = 2

    def close(self):
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


class Flaky(dirtyd.DirtyApp):
    def init(self):
        if not (DIRECTORY / "healed").exists():
            raise RuntimeError("not healed yet")
