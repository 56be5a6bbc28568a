import asyncio

from dirtyd import DirtyClient  # noqa: F401

app, action, args, kwargs = "myapp:Counter", "add", (1,), {}


async def main():
    pass  # SNIPPETS


asyncio.run(main())
