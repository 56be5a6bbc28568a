"""The clients that the whole process shares: one for each socket."""

import os
import threading

from dirtyd.client.address import default_socket_path
from dirtyd.client.core import DirtyClient

_clients: dict[str, DirtyClient] = {}
_lock = threading.Lock()


def _renew_lock() -> None:
    # Another thread of the parent may have held the lock at the fork. The clients themselves survive forks.
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


def get_dirty_client(timeout: float | None = None, socket_path: str | os.PathLike[str] | None = None) -> DirtyClient:
    """Return the client of this process, which is safe across threads and forks."""
    path = os.path.abspath(socket_path or default_socket_path())
    client = _clients.get(path)
    if client is None:
        with _lock:
            client = _clients.setdefault(path, DirtyClient(path))
    return client if timeout is None else client.with_options(timeout=timeout)


async def get_dirty_client_async(
    timeout: float | None = None, socket_path: str | os.PathLike[str] | None = None
) -> DirtyClient:
    """Return the client of this process. Its async calls use a connection of the running event loop."""
    return get_dirty_client(timeout, socket_path)


def close_dirty_client() -> None:
    """Close the connections of this process. This makes for a clean exit."""
    for client in list(_clients.values()):
        client.close()


async def close_dirty_client_async() -> None:
    """Close the connections of the running event loop."""
    for client in list(_clients.values()):
        await client.close_async()
