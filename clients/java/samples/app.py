"""What the samples call: dirtyd serve --app app:Demo"""

import time
from collections.abc import Iterator

from dirtyd import AppError, DirtyApp


class Demo(DirtyApp):
    """A counter that stays in the worker, and a stand-in for a language model."""

    def init(self) -> None:
        self.total = 0
        self.closed = 0

    def add(self, n: int) -> int:
        if n < 0:
            raise AppError("only upwards", code="INVALID_ARGUMENT", metadata={"n": str(n)})
        self.total += n
        return self.total

    def words(self, text: str) -> Iterator[str]:
        for word in text.split():
            time.sleep(0.05)
            yield word

    def tokens(self, prompt: str) -> Iterator[str]:
        number = 0
        try:
            while True:
                time.sleep(0.02)
                yield f"{prompt}-{number}"
                number += 1
        finally:
            self.closed += 1
            print(f"the generator ended with token {number}", flush=True)

    def how_many_closed(self) -> int:
        return self.closed
