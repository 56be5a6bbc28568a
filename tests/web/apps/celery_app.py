"""Celery tasks that call. The main process calls, too, before it forks its pool."""

import os

from celery_settings import celery
from dirtyd import get_dirty_client
from work import WORK

app = celery(os.environ["CELERY_FOLDER"])

get_dirty_client().execute(WORK, "echo", "from the main process")


@app.task(name="echo")
def echo(value: object) -> list[object]:
    return [get_dirty_client().execute(WORK, "echo", value), os.getpid()]


@app.task(name="count")
def count(n: int) -> list[int]:
    return list(get_dirty_client().stream(WORK, "count", n))


@app.task(name="hold")
def hold(folder: str) -> str:
    return get_dirty_client().execute(WORK, "hold", folder, "")


@app.task(name="leave")
def leave(folder: str) -> int:
    for number in get_dirty_client().stream(WORK, "endless", folder):
        if number == 3:
            break
    return number
