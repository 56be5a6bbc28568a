"""Whether gevent has replaced the threads of this process.

The runtime takes its threads before an app is imported. What an app patches later
does not reach them: with several of them, or with an event loop beside them, the
two kinds of threads wait for each other for ever.
"""

import sys


def has_patched_threads() -> bool:
    """Return True if `gevent.monkey` has patched `threading` in this process."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))
