"""Tokens to a browser as server-sent events; the generator stops when the browser leaves.

pip install 'dirtyd[client]' fastapi uvicorn
dirtyd serve --app web:Model &
uvicorn web:web          then: curl -N 'localhost:8000/tokens?prompt=hello'
"""

import time
from collections.abc import AsyncIterator, Iterator

from dirtyd import DirtyApp, errors, get_dirty_client_async

try:
    from fastapi import FastAPI, HTTPException
    from fastapi.responses import StreamingResponse
except ImportError:  # The worker needs only Model.
    FastAPI = None

APP = "web:Model"


class Model(DirtyApp):
    """Stands for a language model."""

    def generate(self, prompt: str) -> Iterator[str]:
        try:
            for number in range(1000):
                time.sleep(0.05)
                yield f"{prompt}-{number}"
        finally:
            print("the generator ended", flush=True)


if FastAPI:
    web = FastAPI()

    @web.get("/tokens")
    async def tokens(prompt: str) -> StreamingResponse:
        client = await get_dirty_client_async()
        stream = client.stream_async(APP, "generate", prompt)
        try:
            first = await anext(stream)  # Errors of the start still become a status.
        except errors.DirtyQueueFullError as error:
            raise HTTPException(503, headers={"Retry-After": str(round(error.retry_after or 1))}) from error

        async def events() -> AsyncIterator[str]:
            # Starlette cancels this generator when the browser leaves; leaving the block cancels the action.
            async with stream:
                yield f"data: {first}\n\n"
                async for token in stream:
                    yield f"data: {token}\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")
