"""The dirty app: each worker trains a model once, then streams its text token by token."""

import asyncio
import random
import threading
import time
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from dirtyd import DirtyApp

from .ngram import NGram
from .text import PARAGRAPH, prose, tokenize


class Tokens(DirtyApp):
    """Writes in the manner of Newton's Opticks."""

    def init(self):
        started = time.perf_counter()
        book = (Path(__file__).parent / "opticks.txt").read_text(encoding="utf-8")
        tokens = tokenize(prose(book))
        self.model = NGram(tokens)
        self.trained_on = len(tokens)
        self.training_seconds = time.perf_counter() - started
        self.lock = threading.Lock()
        self.streams = {"running": 0, "finished": 0, "left": 0}

    def generate(self, prompt="", max_tokens=120, temperature=0.8, seed=None, delay=0.03):
        """Yields the tokens that follow `prompt`, one every `delay` seconds. "".join makes the text of them."""
        tokens = self._tokens(prompt, max_tokens, temperature, seed)
        with self._counted():
            for token in tokens:
                yield token
                time.sleep(delay)

    async def agenerate(self, prompt="", max_tokens=120, temperature=0.8, seed=None, delay=0.03):
        """Yields the same on the event loop. A worker with threads > 1 runs many such streams at a time."""
        tokens = self._tokens(prompt, max_tokens, temperature, seed)
        with self._counted():
            for token in tokens:
                yield token
                await asyncio.sleep(delay)

    def info(self):
        with self.lock:
            streams = dict(self.streams)
        return {
            "text": "Opticks, by Isaac Newton",
            "order": self.model.order,
            "vocabulary": len(self.model.vocabulary),
            "trained_on_tokens": self.trained_on,
            "training_seconds": round(self.training_seconds, 3),
            "streams": streams,
        }

    def _tokens(self, prompt, max_tokens, temperature, seed):
        if temperature < 0:
            raise ValueError(f"temperature is {temperature}; it must be 0 or more")
        # Without a prompt the text begins like a paragraph.
        context = tokenize(prompt) or [PARAGRAPH]
        return islice(self.model.sample(context, temperature, random.Random(seed)), max_tokens)

    @contextmanager
    def _counted(self):
        """Counts a stream while it runs, and then by how it ended. A caller that leaves closes the generator."""
        outcome = "left"
        self._add(running=1)
        try:
            yield
            outcome = "finished"
        finally:
            self._add(running=-1, **{outcome: 1})

    def _add(self, **changes):
        with self.lock:
            for name, change in changes.items():
                self.streams[name] += change
