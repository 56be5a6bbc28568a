"""gRPC channels to one socket: one for the process, one for each event loop.

A forked child never touches a channel of its parent: it makes its own at the
first use. It keeps references to those of the parent, because to free a channel
is to touch it.
"""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import grpc
import grpc.aio

from dirtyd._proto.dirty.v1.arbiter_pb2 import ExecuteRequest, ExecuteResponse, ExecuteStreamResponse

SERVICE = "/dirty.v1.Arbiter/"

OPTIONS = [
    # The arbiter keeps the limit, and its message is better.
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A call must not run twice behind the caller's back.
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    # The client soon finds an arbiter that was restarted.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
    # A channel has connections of its own, not those of other channels of the process: after a fork the child leaves
    # them alone.
    ("grpc.use_local_subchannel_pool", 1),
    # Room for a traceback in the trailers.
    ("grpc.max_metadata_size", 256 * 1024),
    ("grpc.absolute_max_metadata_size", 1024 * 1024),
]

_generation = 0
_inherited: list[Any] = []


def _after_fork() -> None:
    global _generation
    _generation += 1


os.register_at_fork(after_in_child=_after_fork)


def default_socket_path() -> str:
    """Return $DIRTYD_SOCKET, or else the path where `dirtyd serve` listens by default for this user."""
    if path := os.environ.get("DIRTYD_SOCKET"):
        return path
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return f"{runtime}/dirtyd/dirtyd.sock"
    if os.geteuid() == 0:
        return "/run/dirtyd/dirtyd.sock"
    return str(Path.home() / ".local/state/dirtyd/run/dirtyd.sock")


class Methods:
    """The two methods of the arbiter on one channel, sync or async."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        request = ExecuteRequest.SerializeToString
        self.execute = channel.unary_unary(SERVICE + "Execute", request, ExecuteResponse.FromString)
        self.stream = channel.unary_stream(SERVICE + "ExecuteStream", request, ExecuteStreamResponse.FromString)


class Channels:
    """The channels of one client and its views. Safe across threads, event loops and forks."""

    def __init__(self, socket_path: str | os.PathLike[str] | None) -> None:
        self.socket_path = os.path.abspath(socket_path or default_socket_path())
        self._target = f"unix:{self.socket_path}"
        self._begin()

    def _begin(self) -> None:
        self._generation = _generation
        self._lock = threading.Lock()
        self._sync: Methods | None = None
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Methods] = WeakKeyDictionary()

    def _check_fork(self) -> None:
        if self._generation != _generation:
            # The lock is the parent's too: a thread of the parent may have held it.
            _inherited.append((self._sync, list(self._by_loop.items()), self._lock))
            self._begin()

    def sync(self) -> Methods:
        """Return the methods on the channel of this process."""
        self._check_fork()
        if self._sync is None:
            with self._lock:
                if self._sync is None:
                    self._sync = Methods(grpc.insecure_channel(self._target, OPTIONS))
        return self._sync

    def of_loop(self) -> Methods:
        """Return the methods on the channel of the running event loop."""
        self._check_fork()
        loop = asyncio.get_running_loop()
        methods = self._by_loop.get(loop)
        if methods is None:
            methods = self._by_loop[loop] = Methods(grpc.aio.insecure_channel(self._target, OPTIONS))
        return methods

    def close(self) -> None:
        """Close the channel of this process. The next call opens another."""
        self._check_fork()
        with self._lock:
            methods, self._sync = self._sync, None
        if methods:
            methods.channel.close()

    async def close_async(self) -> None:
        """Close the channel of the running event loop. The next call opens another."""
        self._check_fork()
        methods = self._by_loop.pop(asyncio.get_running_loop(), None)
        if methods:
            await methods.channel.close()
