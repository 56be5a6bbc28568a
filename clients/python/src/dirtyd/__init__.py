"""dirtyd: apps for the dirty arbiter, and clients that call them.

The client is imported at its first use, so that workers never load it.
"""

from typing import TYPE_CHECKING, Any

from dirtyd import errors, metrics
from dirtyd.app import DirtyApp
from dirtyd.call import Call, current_call
from dirtyd.errors import ActionNotFound, AppError, CallTimeout, DirtyError
from dirtyd.log import LogHandler
from dirtyd.version import __version__

if TYPE_CHECKING:
    from dirtyd.client import (
        DirtyClient,
        close_dirty_client,
        close_dirty_client_async,
        get_dirty_client,
        get_dirty_client_async,
    )

__all__ = [
    "ActionNotFound",
    "AppError",
    "Call",
    "CallTimeout",
    "DirtyApp",
    "DirtyClient",
    "DirtyError",
    "LogHandler",
    "__version__",
    "close_dirty_client",
    "close_dirty_client_async",
    "current_call",
    "errors",
    "get_dirty_client",
    "get_dirty_client_async",
    "metrics",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'dirtyd' has no attribute {name!r}")
    from dirtyd import client

    return getattr(client, name)
