"""The app of the end-to-end tests."""

import asyncio
import os
import time

import dirtyd
import numpy


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


class App:
    def __call__(self, action, *args, **kwargs):
        return getattr(self, action)(*args, **kwargs)

    def arguments(self, *args, **kwargs):
        return {"args": list(args), "kwargs": kwargs}

    def metadata(self):
        return dict(dirtyd.current_call().metadata)

    def pid(self):
        return os.getpid()

    def square(self, n):
        return n * n

    def doubled(self, array):
        return array * 2

    def array_of(self, dtype):
        return numpy.array([[0, 1], [1, 0]]).astype(dtype)

    def refuse(self):
        raise dirtyd.AppError("no such row", code="NOT_FOUND", metadata={"row": "7"})

    def refuse_late(self):
        raise dirtyd.AppError("too late", code="DEADLINE_EXCEEDED")

    def die(self):
        os._exit(7)

    def die_after(self, limit):
        yield from range(limit)
        os._exit(7)

    def count(self, path):
        """Streams without an end; writes to `path` once it was closed."""
        try:
            number = 0
            while True:
                yield number
                number += 1
        finally:
            write(path, "closed")

    async def ponder(self, path):
        try:
            await asyncio.sleep(3600)
        finally:
            write(path, "cancelled")


class Impatient(App):
    """Has a timeout of its own in dirtyd.toml."""

    def sleep(self):
        time.sleep(60)


class Broken(App):
    def init(self):
        raise RuntimeError("no model here")


class Busy(App):
    """Has a queue of one."""

    def pid(self):
        return os.getpid()

    def wait(self, path):
        with open(path) as fifo:  # returns once somebody writes
            return fifo.read()
