"""Tokens to a browser as server-sent events; the generator stops when the browser leaves.

pip install "$CHECKOUT/clients/python" fastapi uvicorn          CHECKOUT names the checkout of dirtyd
dirtyd serve --app web:Model &
uvicorn web:web          then open localhost:8000, or: curl -N 'localhost:8000/tokens?prompt=hello'
"""

import time
from collections.abc import AsyncIterator, Iterator
from math import ceil

from dirtyd import DirtyApp, errors, get_dirty_client_async

try:
    from fastapi import FastAPI, HTTPException
    from fastapi.responses import HTMLResponse, StreamingResponse
except ImportError:  # The worker needs nothing but Model.
    FastAPI = None

APP = "web:Model"

PAGE = """<!doctype html>
<title>Tokens</title>
<pre id="tokens"></pre>
<script>
  const tokens = document.getElementById("tokens");
  const events = new EventSource("tokens?prompt=hello");
  events.onmessage = ({ data }) => tokens.append(data, "\\n");
  events.onerror = () => events.close(); // At the end; otherwise it would begin anew.
</script>
"""


class Model(DirtyApp):
    """Stands for a language model."""

    def generate(self, prompt: str) -> Iterator[str]:
        number = 0
        try:
            for number in range(1000):
                time.sleep(0.05)
                yield f"{prompt}-{number}"
        finally:
            print(f"the generator ended with token {number}", flush=True)


if FastAPI:
    web = FastAPI()

    @web.get("/", response_class=HTMLResponse)
    async def page() -> str:
        return PAGE

    @web.get("/tokens")
    async def tokens(prompt: str) -> StreamingResponse:
        client = await get_dirty_client_async()
        stream = client.stream_async(APP, "generate", prompt)
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
