"""Event loops that come and go, and those of threads: right results, and no descriptor or connection stays behind."""

import os

import pytest
from processes import printed_by
from running_daemon import Daemon

ROUNDS = 10_000 if os.environ.get("FULL") else 1_000


@pytest.mark.parametrize(("clients", "rounds"), [("shared", ROUNDS), ("own", ROUNDS // 10)])
def test_asyncio_run_leaves_nothing(dirtyd: Daemon, no_connection_left: None, clients: str, rounds: int) -> None:
    before, most = map(int, printed_by("event_loops.py", dirtyd.socket, str(rounds), clients).split())
    # The connection of a loop that has just ended may live until the next call.
    assert most <= before + 2


def test_async_to_sync_in_threads_leaves_nothing(dirtyd: Daemon, no_connection_left: None) -> None:
    threads = 8
    before, after = map(int, printed_by("sync_over_async.py", dirtyd.socket, str(threads), "40").split())
    assert after <= before + threads
