"""The clients that the whole process shares: one for each socket."""

import os

from dirtyd.client.address import default_socket_path
from dirtyd.client.core import DirtyClient

_clients: dict[str, DirtyClient] = {}


def get_dirty_client(timeout: float | None = None, socket_path: str | os.PathLike[str] | None = None) -> DirtyClient:
    """Return the client of this process, which is safe across threads and forks."""
    path = os.path.abspath(socket_path or default_socket_path())
    client = _clients.get(path)
    if client is None:  # Of two threads that come at once, the first one's stays; neither has a connection yet.
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
