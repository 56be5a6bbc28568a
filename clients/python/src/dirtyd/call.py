"""What an action can learn about the call that it serves: `current_call()`."""

import threading
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from time import monotonic
from typing import Any

#: The call served by the running thread or task.
CURRENT: ContextVar["Call"] = ContextVar("dirtyd_current_call")

# Guards the event that Call.wait makes. All calls share it, because a lock for each would make every call dearer, and
# few calls wait.
_waiting = threading.Lock()


class Call:
    """One call, as its action sees it. Safe to use from any thread."""

    __slots__ = ("_cancelled", "_entries", "_event", "_metadata", "action", "app", "deadline", "request_id")

    def __init__(
        self, app: str, action: str, request_id: str, deadline: float, metadata_entries: Iterable[Any] = ()
    ) -> None:
        #: The app's import path.
        self.app = app
        self.action = action
        self.request_id = request_id
        #: On the clock of time.monotonic().
        self.deadline = deadline
        self._entries = metadata_entries
        self._metadata: dict[str, str | bytes] | None = None
        self._cancelled = False
        self._event: threading.Event | None = None

    def remaining(self) -> float:
        """Return the seconds until the deadline, never less than 0."""
        return max(0.0, self.deadline - monotonic())

    @property
    def metadata(self) -> Mapping[str, str | bytes]:
        """The caller's gRPC metadata by lower-case key. The value is bytes if the key ends with "-bin", else str."""
        if self._metadata is None:
            self._metadata = {
                entry.key: entry.value if entry.key.endswith("-bin") else entry.value.decode("utf-8", "replace")
                for entry in self._entries
            }
        return self._metadata

    @property
    def cancelled(self) -> bool:
        """True once nobody waits for the outcome any longer, or the timeout has passed."""
        return self._cancelled

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the call is cancelled, but at most `timeout` seconds. Return `cancelled`."""
        with _waiting:
            if self._event is None:
                self._event = threading.Event()
            if self._cancelled:
                self._event.set()
        return self._event.wait(timeout)

    def cancel(self) -> None:
        """Mark the call as cancelled. This is for the worker runtime and for tests of actions."""
        self._cancelled = True
        with _waiting:
            if self._event is not None:
                self._event.set()


def current_call() -> Call:
    """Return the call that the running action serves.

    The tasks that an action starts have the same call. A thread that it starts
    has none, unless the thread runs in `contextvars.copy_context()`. Raises
    RuntimeError outside an action.
    """
    try:
        return CURRENT.get()
    except LookupError:
        raise RuntimeError("current_call() works only inside an action of a dirtyd worker") from None
