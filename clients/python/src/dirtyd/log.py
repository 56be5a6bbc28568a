"""Lines on stderr whose level dirtyd's log has, too: the prefixes of sd-daemon(3)."""

import logging
import os
import sys
import threading
import traceback
import warnings
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:  # Before Python 3.11 the class takes no type.
    _StreamHandler = logging.StreamHandler

_CRITICAL, _ERROR, _WARNING, _INFO, _DEBUG = 2, 3, 4, 6, 7


class LogHandler(_StreamHandler):
    """A handler of `logging` that writes to stderr, for apps: dirtyd logs each record at its own level.

    `logging.basicConfig(level="INFO", handlers=[dirtyd.LogHandler()])` in `init()`, or in the module of the app. All
    lines of a record have its level. Outside a worker it writes what `StreamHandler` does.
    """

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._is_in_worker = "DIRTYD_WORKER" in os.environ

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text, each line with its prefix."""
        text = super().format(record)
        return _prefixed(_level(record.levelno), text) if self._is_in_worker else text


def _level(levelno: int) -> int:
    if levelno >= logging.CRITICAL:
        return _CRITICAL
    if levelno >= logging.ERROR:
        return _ERROR
    if levelno >= logging.WARNING:
        return _WARNING
    return _INFO if levelno >= logging.INFO else _DEBUG


def _prefixed(level: int, text: str) -> str:
    return "\n".join(f"<{level}>{line}" for line in text.splitlines())


def tell_levels() -> None:
    """Have what Python itself says in a worker carry its level.

    That is: warnings, records of `logging` where no handler is set, and exceptions that end a thread.
    """

    def show_warning(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        text = warnings.formatwarning(message, category, filename, lineno, line)
        if file is None:
            _say(_WARNING, text)
        else:
            file.write(text)

    def show_end_of_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is SystemExit:
            return
        name = args.thread.name if args.thread else threading.get_ident()
        lines = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
        _say(_ERROR, f"Exception in thread {name}:\n{''.join(lines)}")

    warnings.showwarning = show_warning
    threading.excepthook = show_end_of_thread
    last_resort = LogHandler()
    last_resort.setLevel(logging.WARNING)
    logging.lastResort = last_resort


def _say(level: int, text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(_prefixed(level, text) + "\n")
