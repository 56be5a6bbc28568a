"""Flask: sync views, and a generator as the body."""

import os

from dirtyd import errors, get_dirty_client
from flask import Flask, Response, request
from work import WORK

app = Flask(__name__)

if os.environ.get("CALL_AT_IMPORT"):  # With --preload gunicorn's master calls, and then forks.
    get_dirty_client().execute(WORK, "echo", "from the import")


@app.get("/ping")
def ping() -> str:
    return str(os.getpid())


@app.get("/sync/echo")
def echo() -> str:
    text = request.args["text"] * int(request.args["times"])
    return get_dirty_client().execute(WORK, "echo", text)


@app.get("/sync/hold")
def hold() -> str:
    return get_dirty_client().execute(WORK, "hold", request.args["folder"], str(os.getpid()))


@app.get("/sync/refuse")
def refuse() -> tuple[str, int]:
    try:
        return get_dirty_client().execute(WORK, "refuse", "no such row"), 200
    except errors.DirtyAppError as error:
        return f"{error.code} {error.metadata['row']} {error}", 404


@app.get("/sync/stream/<action>")
def stream(action: str) -> Response:
    argument = request.args["argument"]
    chunks = get_dirty_client().stream(WORK, action, int(argument) if argument.isdigit() else argument)
    return Response((f"{chunk}\n" for chunk in chunks), mimetype="text/plain")
