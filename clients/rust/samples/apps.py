"""The apps of the samples. They import nothing of dirtyd.

dirtyd serve --config dirtyd.toml
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

    def init(self):
        self.total = 0

    def add(self, n, *, times=1):
        if n < 0:
            raise OnlyUpwards(f"cannot add {n}")
        self.total += n * times
        return self.total


class Writer(App):
    """Produces one word after the other."""

    def words(self, text):
        for word in text.split():
            time.sleep(0.05)
            yield word


class Endless(App):
    """Work that ends only when nobody wants it any more."""

    def init(self):
        self.ended = 0

    def count(self):
        number = 0
        try:
            while True:
                yield number
                number += 1
        finally:
            self.ended += 1

    async def ponder(self):
        try:
            await asyncio.sleep(3600)
        finally:
            self.ended += 1

    def how_many_ended(self):
        return self.ended


class Model(App):
    """Stands for a language model."""

    def generate(self, prompt):
        number = 0
        try:
            for number in range(1000):
                time.sleep(0.05)
                yield f"{prompt}-{number}"
        finally:
            print(f"the generator ended with token {number}", flush=True)
