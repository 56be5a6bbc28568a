"""Flask: tokens to a browser as server-sent events; the generator stops when the browser leaves.

pip install "$CHECKOUT/clients/python" flask gunicorn          CHECKOUT names the checkout of dirtyd
dirtyd serve --app model:Model &
gunicorn --threads 8 web_flask:web          then open localhost:8000, or: curl -N 'localhost:8000/tokens?prompt=hello'

With `--worker-class gevent` (pip install gevent) a process serves many more browsers at once; nothing here changes.
"""

from collections.abc import Iterator
from math import ceil

from flask import Flask, Response, request, send_file

from dirtyd import errors, get_dirty_client

APP = "model:Model"

web = Flask(__name__)


@web.get("/")
def page() -> Response:
    return send_file("tokens.html")


@web.get("/tokens")
def tokens() -> Response:
    stream = get_dirty_client().stream(APP, "generate", request.args["prompt"])
    try:
        first = next(stream)  # An error before the first chunk still becomes a status.
    except errors.DirtyQueueFullError as error:
        return Response(status=503, headers={"Retry-After": str(ceil(error.retry_after or 1))})

    def events() -> Iterator[str]:
        # The web server closes this generator when the browser leaves; the end of the block cancels the action.
        with stream:
            yield f"data: {first}\n\n"
            for token in stream:
                yield f"data: {token}\n\n"

    return Response(events(), mimetype="text/event-stream")
