"""stdout as whole lines, whichever thread prints them.

print() writes its arguments and the end of the line one by one. Here each thread
gathers what it writes until a line is complete; only then it goes out, at once.
"""

import io
import os
import sys
import threading
from typing import TextIO


class Lines(io.TextIOWrapper):
    """A text stream that writes lines of several threads one after the other."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__(stream.buffer, stream.encoding, "backslashreplace", line_buffering=True)
        # A wrapper that is dropped closes what both write to.
        self._stream = stream
        self._lock = threading.Lock()
        #: What each thread has written of its unfinished line.
        self._unfinished: dict[int, str] = {}
        os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self) -> None:
        """Begin anew in a child: whoever held the lock, or had an unfinished line, is not there."""
        self._lock = threading.Lock()
        own = threading.get_ident()
        self._unfinished = {own: self._unfinished[own]} if own in self._unfinished else {}

    def write(self, text: str, /) -> int:
        thread = threading.get_ident()
        with self._lock:
            whole, newline, rest = (self._unfinished.pop(thread, "") + text).rpartition("\n")
            if newline:
                super().write(whole + newline)
            if rest:
                self._unfinished[thread] = rest
        return len(text)

    def flush(self) -> None:
        """Write out what this thread has written, and at the end of the process what any has."""
        with self._lock:
            if sys.is_finalizing() or threading.current_thread() is threading.main_thread():
                rest, self._unfinished = "".join(self._unfinished.values()), {}
            else:
                rest = self._unfinished.pop(threading.get_ident(), "")
            if rest:
                super().write(rest)
            super().flush()


def whole_lines(stream: TextIO) -> TextIO:
    """Return a stream that writes whole lines to where `stream` writes. `stream` is of no more use."""
    return Lines(stream) if isinstance(stream, io.TextIOWrapper) else stream
