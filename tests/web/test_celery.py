"""Celery's prefork pool: its processes call, end after a few tasks, and disturb nobody."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.result import AsyncResult
from celery_settings import celery
from processes import running
from running_daemon import Daemon
from waiting import content_of, until

from daemon import PATIENCE

#: Tasks after which a process of the pool is replaced.
LIFE = 5


@pytest.fixture(scope="module")
def tasks(dirtyd: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Celery]:
    """Celery with a pool of two processes."""
    folder = str(tmp_path_factory.mktemp("celery"))
    sender, before = celery(folder), dirtyd.connections()
    command = ["-m", "celery", "--quiet", "--app", "celery_app", "worker", "--pool", "prefork", "--concurrency", "2"]
    command += ["--max-tasks-per-child", str(LIFE), "--loglevel", "warning"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with running(command, dirtyd.socket, {"CELERY_FOLDER": folder}):
        yield sender
    sender.close()
    until(lambda: dirtyd.connections() <= before, "the connections of the pool that ended have ended")


def test_tasks_of_a_prefork_pool_call(tasks: Celery, folder: Callable[[], Path]) -> None:
    assert _result(tasks.send_task("count", [1000])) == list(range(1000))
    left = folder()
    assert _result(tasks.send_task("leave", [str(left)])) == 3
    content_of(left / "closed")


def test_processes_of_the_pool_that_end_disturb_no_call(tasks: Celery, folder: Callable[[], Path]) -> None:
    files = folder()
    held = tasks.send_task("hold", [str(files)])
    content_of(files / "started")
    echoes = [_result(tasks.send_task("echo", [number])) for number in range(4 * LIFE)]
    assert [value for value, _ in echoes] == list(range(4 * LIFE))
    assert len({pid for _, pid in echoes}) >= 4
    assert not held.ready()
    (files / "release").touch()
    assert _result(held) == "released"


def _result(sent: AsyncResult) -> Any:
    return sent.get(timeout=PATIENCE, interval=0.02)
