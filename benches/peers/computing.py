"""Processes that compute without an end, so that others find no idle processor."""

import subprocess
import sys
from contextlib import contextmanager


@contextmanager
def computing(count):
    """Keeps `count` processes computing, at our own priority, and ends them."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
