"""The apps of the samples. They import nothing of dirtyd.

dirtyd serve --app apps:Counter --app apps:Writer --app apps:Endless --app apps:Model
"""

import asyncio
import time


class App:
    def __call__(self, action, *args, **kwargs):
        return getattr(self, action)(*args, **kwargs)


class OnlyUpwards(ValueError):
    dirty_code = "INVALID_ARGUMENT"


class Counter(App):
    """State that stays in the worker."""

    workers = 1

    def init(self):
        self.total = 0

    def add(self, n):
        if n < 0:
            raise OnlyUpwards(f"cannot add {n}")
        self.total += n
        return self.total


class Writer(App):
    """Produces one word after the other."""

    def words(self, text):
        for word in text.split():
            time.sleep(0.05)
            yield word


class Endless(App):
    """Work that ends only when nobody wants it any more."""

    workers = 1

    def init(self):
        self.closed = 0

    def count(self):
        number = 0
        try:
            while True:
                yield number
                number += 1
        finally:
            self.closed += 1

    async def ponder(self):
        try:
            await asyncio.sleep(3600)
        finally:
            self.closed += 1

    def how_many_closed(self):
        return self.closed


class Model(App):
    """Stands for a language model."""

    workers = 1

    def init(self):
        self.last = []

    def generate(self, prompt):
        number = 0
        try:
            for number in range(1000):
                time.sleep(0.05)
                yield f"{prompt}-{number}"
        finally:
            self.last.append(number)

    def last_tokens(self):
        """The number of the last token of each generator that has ended."""
        return self.last
