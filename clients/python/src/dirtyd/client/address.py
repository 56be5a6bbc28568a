"""Where the arbiter listens, and a connection to it."""

import os

# The class beneath socket.socket, which gevent and eventlet do not replace. Its methods block the thread, or not, as
# `settimeout` says; how a call waits is decided by each call.
from _socket import socket as Socket
from socket import AF_UNIX, SOCK_STREAM

from dirtyd.client.status import unreachable

__all__ = ["Socket", "connect", "default_socket_path", "new_socket"]


def default_socket_path() -> str:
    """Return $DIRTYD_SOCKET, or else the path where `dirtyd serve` listens by default for this user."""
    if path := os.environ.get("DIRTYD_SOCKET"):
        return path
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return f"{runtime}/dirtyd/dirtyd.sock"
    if os.geteuid() == 0:
        return "/run/dirtyd/dirtyd.sock"
    return os.path.expanduser("~/.local/state/dirtyd/run/dirtyd.sock")


def new_socket() -> Socket:
    """Return a socket that is not connected and never blocks. Raises Failed if this process can have no more."""
    try:
        socket = Socket(AF_UNIX, SOCK_STREAM)
    except OSError as error:
        raise unreachable(error.strerror or str(error)) from None
    socket.settimeout(0)
    return socket


def connect(socket: Socket, path: str) -> bool:
    """Connect to the arbiter. Return False if more callers than the kernel lets wait are in front; try again later.

    Raises Failed if nobody can be reached.
    """
    try:
        socket.connect(path)
    except BlockingIOError:
        return False
    except OSError as error:
        raise unreachable(error.strerror or str(error)) from None
    return True
