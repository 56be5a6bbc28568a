"""The base class of apps."""

from typing import Any, ClassVar

from dirtyd.errors import ActionNotFound

#: Methods that belong to the life of the app and are not actions.
LIFE_CYCLE = frozenset({"init", "close"})


class DirtyApp:
    """An app: state that stays in memory, and actions on it.

    A worker constructs the app once, calls `init()`, serves calls, and calls
    `close()` in the end. Each public method is an action: a plain function,
    `async def`, a generator or an async generator. If the worker has more than
    one thread, several actions run at a time and share the instance.

    Deriving from this class is a convenience: any class with
    `__call__(action, *args, **kwargs)` is an app.
    """

    #: The number of workers that load the app; None for all of them.
    workers: ClassVar[int | None] = None

    def init(self) -> Any:
        """Load what the actions need. May be `async def`."""

    def __call__(self, action: str, /, *args: Any, **kwargs: Any) -> Any:
        """Run one action: the public method of that name."""
        method = None if action.startswith("_") or action in LIFE_CYCLE else getattr(self, action, None)
        if not callable(method):
            raise ActionNotFound(f"the app has no action `{action}`")
        return method(*args, **kwargs)

    def close(self) -> Any:
        """Release what `init()` has taken. May be `async def`."""
