"""FastAPI: `def` views, which run on threads, and `async def` views, each with a generator of its kind as the body."""

import os
from collections.abc import AsyncIterator

from dirtyd import errors, get_dirty_client
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, StreamingResponse
from work import WORK

app = FastAPI(default_response_class=PlainTextResponse)


@app.get("/ping")
async def ping() -> str:
    return str(os.getpid())


@app.get("/sync/echo")
def echo(text: str, times: int) -> str:
    return get_dirty_client().execute(WORK, "echo", text * times)


@app.get("/async/echo")
async def echo_async(text: str, times: int) -> str:
    return await get_dirty_client().execute_async(WORK, "echo", text * times)


@app.get("/sync/hold")
def hold(folder: str) -> str:
    return get_dirty_client().execute(WORK, "hold", folder, str(os.getpid()))


@app.get("/async/hold")
async def hold_async(folder: str) -> str:
    return await get_dirty_client().execute_async(WORK, "hold", folder, str(os.getpid()))


@app.get("/sync/refuse")
def refuse() -> str:
    return get_dirty_client().execute(WORK, "refuse", "no such row")


@app.get("/async/refuse")
async def refuse_async() -> str:
    return await get_dirty_client().execute_async(WORK, "refuse", "no such row")


@app.exception_handler(errors.DirtyAppError)
async def refused(request: object, error: errors.DirtyAppError) -> PlainTextResponse:
    return PlainTextResponse(f"{error.code} {error.metadata['row']} {error}", 404)


@app.get("/sync/stream/{action}")
def stream(action: str, argument: str) -> StreamingResponse:
    chunks = get_dirty_client().stream(WORK, action, int(argument) if argument.isdigit() else argument)
    return StreamingResponse((f"{chunk}\n" for chunk in chunks), media_type="text/plain")


@app.get("/async/stream/{action}")
async def stream_async(action: str, argument: str) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        value = int(argument) if argument.isdigit() else argument
        async for chunk in get_dirty_client().stream_async(WORK, action, value):
            yield f"{chunk}\n"

    return StreamingResponse(lines(), media_type="text/plain")
