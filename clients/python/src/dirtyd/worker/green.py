"""Greenlets: whether gevent has replaced the threads of this process, and which greenlets wait in it.

The runtime takes its threads before an app is imported. What an app patches later
does not reach them: with several of them, or with an event loop beside them, the
two kinds of threads wait for each other for ever.
"""

import gc
import sys
from typing import Any


def has_patched_threads() -> bool:
    """Return True if `gevent.monkey` has patched `threading` in this process."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def suspended_greenlets() -> list[Any]:
    """Return the greenlets that wait, of gevent, eventlet or anybody else. Those that run are on the stack of a thread.

    Nobody keeps a list of them, so this looks through all objects of the process.
    """
    greenlet = sys.modules.get("greenlet")
    kind = getattr(greenlet, "greenlet", None)
    if kind is None:
        return []
    # type(), because isinstance() would ask objects that are proxies, and run their code.
    found = (each for each in gc.get_objects() if issubclass(type(each), kind))
    return [each for each in found if each.gr_frame is not None]
