"""How the tests wait: for an event, with a limit."""

import time
from collections.abc import Callable
from pathlib import Path

from daemon import PATIENCE


def until(happened: Callable[[], bool], what: str) -> None:
    """Return as soon as `happened()` is true; fail with `what` after PATIENCE seconds."""
    limit = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < limit, f"this did not happen within {PATIENCE:.0f} s: {what}"
        time.sleep(0.01)


def content_of(file: Path) -> str:
    """Return the text of a file as soon as there is one."""
    until(file.exists, f"{file.name} is written")
    return file.read_text()
