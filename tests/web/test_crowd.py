"""The web processes of a large host reach one daemon with its default settings."""

from pathlib import Path

from processes import APPS, printed_by
from work import WORK

from daemon import daemon

PROCESSES, THREADS, CALLS = 64, 32, 2


def test_every_call_of_64_processes_of_32_threads_succeeds(short_path: Path) -> None:
    with daemon(short_path, (WORK, "no_such_action"), "--app", WORK, cwd=APPS) as socket:
        printed = printed_by("crowd.py", socket, str(PROCESSES), str(THREADS), str(CALLS))
    assert printed == f"{PROCESSES * THREADS * CALLS} right\n"
