"""Clients of the dirty arbiter, sync and async.

core       one client: settings, requests, views
attempts   which failed calls are tried again, and when
channels   gRPC channels: one per process, one per event loop, new ones after a fork
deadline   what the arbiter and grpcio are told of it
streams    the two iterators over the chunks of a stream
status     gRPC errors as DirtyError
shared     get_dirty_client and its siblings
"""

import os

# grpcio reads this at its import. A process can then fork while other threads of it are in calls.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "1")

try:
    import grpc as _grpc  # noqa: F401
except ImportError as error:
    raise ImportError("the client of dirtyd needs grpcio; install it with: pip install 'dirtyd[client]'") from error

from dirtyd.client.core import DirtyClient
from dirtyd.client.shared import (
    close_dirty_client,
    close_dirty_client_async,
    get_dirty_client,
    get_dirty_client_async,
)
from dirtyd.client.streams import AsyncStream, Stream

__all__ = [
    "AsyncStream",
    "DirtyClient",
    "Stream",
    "close_dirty_client",
    "close_dirty_client_async",
    "get_dirty_client",
    "get_dirty_client_async",
]
