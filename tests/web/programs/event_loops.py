"""`asyncio.run` again and again, each with a call, every tenth with streams: one is read, one left half-way.

python event_loops.py ROUNDS shared|own        one client for all rounds, or a new one in each
"""

import asyncio
import os
import sys

from dirtyd import DirtyClient, get_dirty_client
from work import WORK

rounds, clients = int(sys.argv[1]), sys.argv[2]


async def use(number: int) -> None:
    client = get_dirty_client() if clients == "shared" else DirtyClient()
    assert await client.execute_async(WORK, "echo", number) == number
    if number % 10 == 0:
        assert [chunk async for chunk in client.stream_async(WORK, "count", 5)] == list(range(5))
        async for _ in client.stream_async(WORK, "count", 5):
            break


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


asyncio.run(use(0))
most = before = descriptors()
for number in range(1, rounds):
    asyncio.run(use(number))
    most = max(most, descriptors())
print(before, most)
