"""The app of the samples for the web: dirtyd serve --app model:Model"""

import time
from collections.abc import Iterator

from dirtyd import DirtyApp


class Model(DirtyApp):
    """Stands for a language model."""

    def generate(self, prompt: str) -> Iterator[str]:
        number = 0
        try:
            for number in range(1000):
                time.sleep(0.05)
                yield f"{prompt}-{number}"
        finally:
            print(f"the generator ended with token {number}", flush=True)
