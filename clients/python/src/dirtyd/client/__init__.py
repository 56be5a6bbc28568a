"""Clients of the dirty arbiter, sync and async, over the Connect protocol.

core            one client: settings, views, the four kinds of call
messages        calls and results as the bytes of their messages
attempts        which failed calls are tried again, and when
deadline        how long a call waits for the arbiter
connect         requests and answers of Connect; no input or output
http1           answers of HTTP/1.1; no input or output
address         where the arbiter listens, and a connection to it
pool            the connections that rest until a call takes them
blocking        calls that block their thread or greenlet
evented         calls on an event loop of asyncio
forks           what a forked child leaves to its parent
streams         the iterator over the chunks of a stream; async_streams has its twin
status          how a call failed, as DirtyError
shared          get_dirty_client and its siblings
"""

from typing import TYPE_CHECKING, Any

from dirtyd.client.core import DirtyClient
from dirtyd.client.shared import (
    close_dirty_client,
    close_dirty_client_async,
    get_dirty_client,
    get_dirty_client_async,
)
from dirtyd.client.streams import Stream

if TYPE_CHECKING:
    from dirtyd.client.async_streams import AsyncStream

__all__ = [
    "AsyncStream",
    "DirtyClient",
    "Stream",
    "close_dirty_client",
    "close_dirty_client_async",
    "get_dirty_client",
    "get_dirty_client_async",
]


def __getattr__(name: str) -> Any:
    if name != "AsyncStream":
        raise AttributeError(f"module 'dirtyd.client' has no attribute {name!r}")
    from dirtyd.client.async_streams import AsyncStream  # It imports asyncio, which is large.

    return AsyncStream
