"""The app of most tests. Actions meet their test in files of the working directory."""

import asyncio
import ctypes
import itertools
import os
import sys
import time
from pathlib import Path

from dirtyd import DirtyApp, current_call


def appears(name):
    while not Path(name).exists():
        time.sleep(0.002)


class Lab(DirtyApp):
    def init(self):
        self.order = []

    def close(self):
        Path(f"closed.{os.getpid()}").touch()

    # Values and errors

    def echo(self, value=None):
        return value

    def pid(self, *_):
        return os.getpid()

    def type_name(self, value):
        return type(value).__name__

    def array(self, dtype, count):
        import numpy

        return numpy.arange(count, dtype=dtype).reshape(2, -1)

    def doubled(self, array):
        return array * 2

    def huge_integer(self):
        return 1 << 64

    def unserialisable(self):
        return {"inner": [object()]}

    def fail(self, message):
        raise ValueError(message)

    def choose(self, code, size=0):
        error = KeyError("row 7")
        error.dirty_code = code
        error.metadata = {"document": "x" * size, "row": "7"}
        raise error

    def speak(self, text):
        print(text, flush=True)

    def blob(self, size):
        return bytes(size)

    def facts(self):
        call = current_call()
        return {"request_id": call.request_id, "metadata": dict(call.metadata), "remaining": call.remaining()}

    # Time

    def sleep(self, seconds, value=None):
        time.sleep(seconds)
        return os.getpid() if value is None else value

    def hold(self, name, value=None):
        """Run until the file `name` is there."""
        Path(f"{name}.started").touch()
        appears(name)
        return value

    def touch(self, name):
        Path(name).touch()

    def note(self, number):
        self.order.append(number)

    def noted(self):
        return self.order

    def patient(self, name):
        """Run until the call is cancelled."""
        Path(f"{name}.started").touch()
        try:
            current_call().wait(60)
        finally:
            Path(f"{name}.{'cancelled' if current_call().cancelled else 'forgotten'}").touch()

    async def nap(self, name):
        Path(f"{name}.started").touch()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            Path(f"{name}.cancelled").touch()
            raise

    # What does not want to end

    def swallow(self):
        """A loop that no exception ends."""
        while True:
            try:
                while True:
                    time.sleep(0.01)
            except BaseException:
                continue

    def stuck(self):
        """Native code that never comes back and holds the interpreter's lock."""
        libc, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(64)
        libc.pthread_mutex_lock(mutex)
        libc.pthread_mutex_lock(mutex)

    def tidy(self, name):
        """Cleans up when it is interrupted."""
        try:
            time.sleep(60)
        finally:
            Path(f"{name}.tidied").touch()

    def die(self):
        os._exit(7)

    # Streams

    def count(self, limit):
        yield from range(limit)

    async def count_async(self, limit):
        for number in range(limit):
            yield number

    def steps(self, name, limit):
        """Yield the next number only once the file for the last one is there."""
        for number in range(limit):
            yield number
            appears(f"{name}.{number}")

    def fail_after(self, limit):
        yield from range(limit)
        raise RuntimeError(f"after {limit}")

    def flood(self, name, size):
        """Yield without end, and tell how often."""
        progress = os.open(f"{name}.progress", os.O_WRONLY | os.O_CREAT)
        try:
            for number in itertools.count(1):
                os.pwrite(progress, b"%d" % number, 0)
                yield bytes(size)
        finally:
            os.close(progress)
            Path(f"{name}.closed").touch()

    def ticks(self, name):
        """Yield the process id again and again, until closed."""
        try:
            while True:
                yield os.getpid()
                time.sleep(0.002)
        finally:
            Path(f"{name}.closed").touch()

    async def ticks_async(self, name):
        try:
            while True:
                yield os.getpid()
                await asyncio.sleep(0.002)
        finally:
            Path(f"{name}.closed").touch()

    def pause(self, seconds, limit):
        for number in range(limit):
            time.sleep(seconds)
            yield number

    def say(self, out, err):
        print(out)
        print(err, file=sys.stderr)


class Other(Lab):
    """The same under another name."""
