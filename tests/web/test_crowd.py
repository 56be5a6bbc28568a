"""The web processes of a large host, 64 of 32 threads each, reach one daemon, all at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from dirtyd import DirtyClient
from processes import APPS, printed_by
from running_daemon import Daemon
from waiting import until
from work import WORK

from daemon import daemon

PROCESSES, THREADS, CALLS = 64, 32, 2
ALL = PROCESSES * THREADS * CALLS

MIB = 1 << 20


@contextmanager
def _dirtyd(directory: Path, *settings: str) -> Iterator[Daemon]:
    with daemon(directory, (WORK, "no_such_action"), "--app", WORK, *settings, cwd=APPS) as socket:
        yield Daemon(socket)


def _outcomes(dirtyd: Daemon, retries: int) -> dict[str, int]:
    """Let the crowd call. Return how many calls had which outcome."""
    printed = printed_by("crowd.py", dirtyd.socket, *map(str, (PROCESSES, THREADS, CALLS, retries)))
    lines = (line.split(" ") for line in printed.splitlines())
    return {outcome: int(count) for count, outcome in lines}


def _until_as_before(dirtyd: Daemon) -> None:
    until(lambda: dirtyd.connections() == 0, "the connections of the crowd have ended")
    assert int(dirtyd.status()["memory_bytes"]) < 256 * MIB


def test_every_call_of_a_crowd_succeeds_with_default_settings(short_path: Path) -> None:
    with _dirtyd(short_path) as dirtyd, ThreadPoolExecutor(1) as pool:
        # More calls at once than may wait (max_queue) are refused at first, and tried again.
        crowd = pool.submit(_outcomes, dirtyd, retries=20)
        while not crowd.done():
            assert dirtyd.connections() <= PROCESSES * THREADS
        assert crowd.result() == {"right": ALL}
        _until_as_before(dirtyd)


def test_a_crowd_above_max_connections_costs_only_calls_of_its_own(short_path: Path) -> None:
    with _dirtyd(short_path, "--max-connections", "256") as dirtyd:
        outcomes = _outcomes(dirtyd, retries=0)
        assert outcomes["right"] >= 256
        assert outcomes.keys() <= {"right", "UNAVAILABLE", "RESOURCE_EXHAUSTED"}
        assert sum(outcomes.values()) == ALL
        _until_as_before(dirtyd)
        with DirtyClient(dirtyd.socket) as client:
            assert client.execute(WORK, "echo", "afterwards") == "afterwards"
