"""The app of the life and of the commands."""

import os
import time
from contextlib import suppress

from dirtyd import DirtyApp


class Demo(DirtyApp):
    def init(self):
        if os.path.exists("sick"):
            raise RuntimeError("the database does not answer")

    def hello(self, name="world"):
        return f"hello, {name}"

    def tell(self):
        yield from ("Once ", "upon ", "a ", "time\n")

    def fail(self):
        raise ValueError("no row of that name")

    def nap(self, seconds):
        time.sleep(seconds)

    def swallow(self):
        while True:
            with suppress(BaseException):
                time.sleep(20)

    def die(self):
        os.abort()

    def odd(self):
        return object()


class Broken(DirtyApp):
    def init(self):
        raise RuntimeError("no weights")

    def work(self):
        pass
