"""The actions of the benchmarks, the same code for every system.

The actions that sleep, compute, or do both, repeat what gunicorn's own benchmark
(benchmarks/dirty_bench_app.py) does in the scenarios of the same names.
"""

import asyncio
import time


class Bench:
    """A duck-typed app, which dirtyd serves unchanged."""

    def init(self):
        pass

    def close(self):
        pass

    def __call__(self, action, *args, **kwargs):
        return getattr(self, action)(*args, **kwargs)

    def echo(self, value):
        return value

    def produce(self, size):
        return bytes(size)

    def consume(self, value):
        return len(value)

    def sleep(self, milliseconds):
        time.sleep(milliseconds / 1000)
        return milliseconds

    def compute(self, milliseconds):
        end, rounds = time.perf_counter() + milliseconds / 1000, 0
        while time.perf_counter() < end:
            x = 0.0
            for i in range(1000):
                x += i * 0.001
            rounds += 1
        return rounds

    def mixed(self, sleep, compute):
        self.sleep(sleep)
        return self.compute(compute)

    def tokens(self, count):
        for _ in range(count):
            yield "token"

    def paced(self, count, milliseconds):
        """Yields chunks at regular intervals. Each chunk is the time at which it was made, in nanoseconds."""
        start = time.monotonic()
        for number in range(1, count + 1):
            time.sleep(max(0.0, start + number * milliseconds / 1000 - time.monotonic()))
            yield time.time_ns()

    def flood(self):
        while True:
            yield "token"

    async def idle(self):
        """Yields one chunk at once, then nothing for an hour."""
        yield "first"
        await asyncio.sleep(3600)


# The same app under other names, to measure what many apps cost.
globals().update({f"App{number}": type(f"App{number}", (Bench,), {}) for number in range(1, 100)})
