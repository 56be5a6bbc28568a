"""Chunks as they are produced, sync and async.

Run the daemon beside it: dirtyd serve --app stream:Writer
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

from dirtyd import DirtyApp, DirtyClient

APP = "stream:Writer"


class Writer(DirtyApp):
    """Produces one word after another."""

    def words(self, text: str) -> Iterator[str]:
        for word in text.split():
            time.sleep(0.05)
            yield word

    async def later(self, text: str) -> AsyncIterator[str]:
        for word in text.split():
            await asyncio.sleep(0.05)
            yield word


async def main() -> None:
    async with DirtyClient(timeout=10) as client:
        for word in client.stream(APP, "words", "to be or not to be"):
            print(word)
        async for word in client.stream_async(APP, "later", "that is the question"):
            print(word)


if __name__ == "__main__":
    asyncio.run(main())
