"""FastAPI: tokens to a browser as server-sent events; the generator stops when the browser leaves.

pip install "$CHECKOUT/clients/python" fastapi uvicorn          CHECKOUT names the checkout of dirtyd
dirtyd serve --app model:Model &
uvicorn web_fastapi:web          then open localhost:8000, or: curl -N 'localhost:8000/tokens?prompt=hello'
"""

from collections.abc import AsyncIterator
from math import ceil

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, StreamingResponse

from dirtyd import errors, get_dirty_client

APP = "model:Model"

web = FastAPI()


@web.get("/")
async def page() -> FileResponse:
    return FileResponse("tokens.html")


@web.get("/tokens")
async def tokens(prompt: str) -> StreamingResponse:
    stream = get_dirty_client().stream_async(APP, "generate", prompt)
    try:
        first = await anext(stream)  # An error before the first chunk still becomes a status.
    except errors.DirtyQueueFullError as error:
        raise HTTPException(503, headers={"Retry-After": str(ceil(error.retry_after or 1))}) from error

    async def events() -> AsyncIterator[str]:
        # Starlette cancels this generator when the browser leaves; the end of the block cancels the action.
        async with stream:
            yield f"data: {first}\n\n"
            async for token in stream:
                yield f"data: {token}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")
