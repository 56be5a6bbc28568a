"""The caller's trace as the current context of OpenTelemetry, if the app has OpenTelemetry.

It is imported for the first call that has a `traceparent`, and never without one.
Whatever goes wrong in it, the call goes on without a trace.
"""

import importlib
import logging
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

TRACEPARENT = "traceparent"

log = logging.getLogger("dirtyd.worker")

_loading = threading.Lock()
#: The modules `opentelemetry.context` and `opentelemetry.propagate`; None if they are missing; empty before the import.
_modules: tuple[Any, ...] | None = ()


def attach(entries: Iterable[Any]) -> Any:
    """Make the trace of a call, as its metadata says, the current context. Return what `detach` needs, or None."""
    for entry in entries:
        if entry.key == TRACEPARENT:
            return _attach(entries)
    return None


def detach(token: Any) -> None:
    """Undo `attach`, in the same context."""
    with suppress(Exception):
        if _modules:
            _modules[0].detach(token)


def _attach(entries: Iterable[Any]) -> Any:
    try:
        modules = _load()
        if modules is None:
            return None
        context, propagate = modules
        return context.attach(propagate.extract(_carrier(entries)))
    except Exception:
        log.warning("the call goes on without its trace, because OpenTelemetry failed", exc_info=True)
        return None


def _load() -> tuple[Any, ...] | None:
    global _modules
    with _loading:
        if _modules == ():
            _modules = None  # One try, whatever comes of it.
            with suppress(ModuleNotFoundError):
                names = ("opentelemetry.context", "opentelemetry.propagate")
                _modules = tuple(importlib.import_module(name) for name in names)
        return _modules


def _carrier(entries: Iterable[Any]) -> dict[str, str]:
    """Return the metadata as headers. Those of one name are one list, as in HTTP."""
    carrier: dict[str, str] = {}
    for entry in entries:
        if not entry.key.endswith("-bin"):
            value = entry.value.decode("utf-8", "replace")
            carrier[entry.key] = f"{carrier[entry.key]},{value}" if entry.key in carrier else value
    return carrier
