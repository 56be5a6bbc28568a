"""Async calls from sync code: asgiref's async_to_sync, in many threads at once, each call with a loop of its own.

python sync_over_async.py THREADS CALLS
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import async_to_sync
from dirtyd import get_dirty_client
from work import WORK

threads, calls = map(int, sys.argv[1:])


async def chunks(n: int) -> list[int]:
    return [chunk async for chunk in get_dirty_client().stream_async(WORK, "count", n)]


def use(thread: int) -> None:
    for call in range(calls):
        value = thread * calls + call
        assert async_to_sync(get_dirty_client().execute_async)(WORK, "echo", value) == value
    assert async_to_sync(chunks)(100) == list(range(100))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def use_all() -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(use, range(threads)))


use_all()
before = descriptors()
use_all()
print(before, descriptors())
