"""The app that all web processes of this suite call. Files tell the tests what happens in it, and tell it to go on."""

from collections.abc import Iterator
from pathlib import Path

from dirtyd import AppError, DirtyApp, current_call

WORK = "work:Work"


class Work(DirtyApp):
    def echo(self, value: object) -> object:
        return value

    def refuse(self, why: str) -> None:
        raise AppError(why, code="NOT_FOUND", metadata={"row": "7"})

    def count(self, n: int) -> Iterator[int]:
        yield from range(n)

    def hold(self, folder: str, note: str) -> str:
        """Write `note` to the file `started`, and end when the file `release` is there."""
        _write(folder, "started", note)
        return "released" if _released(folder) else "left"

    def two_halves(self, folder: str) -> Iterator[str]:
        """Yield the second half when the file `release` is there."""
        yield "first"
        if _released(folder):
            yield "second"

    def endless(self, folder: str) -> Iterator[int]:
        """Yield numbers until the caller leaves, then write the file `closed`."""
        number = 0
        try:
            while True:
                yield number
                number += 1
                current_call().wait(0.005)
        finally:
            _write(folder, "closed", str(number))


def _released(folder: str) -> bool:
    """Wait for the file `release`. Write the file `left` and return False if the caller leaves before."""
    while not Path(folder, "release").exists():
        if current_call().wait(0.005):
            _write(folder, "left", "")
            return False
    return True


def _write(folder: str, name: str, text: str) -> None:
    """Whoever sees the file sees all of it."""
    unfinished = Path(folder, name + ".unfinished")
    unfinished.write_text(text)
    unfinished.rename(Path(folder, name))
