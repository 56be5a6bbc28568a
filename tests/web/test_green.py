"""gevent and eventlet: nothing blocks the other green threads, whatever was imported first."""

from collections.abc import Callable
from pathlib import Path

import pytest
from processes import printed_by
from running_daemon import Daemon


@pytest.mark.parametrize("order", ["dirtyd-first", "patch-first"])
@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_green_threads_run_while_calls_wait(
    dirtyd: Daemon, no_connection_left: None, folder: Callable[[], Path], library: str, order: str
) -> None:
    assert printed_by("green.py", dirtyd.socket, library, order, str(folder())) == "released first second\n"
