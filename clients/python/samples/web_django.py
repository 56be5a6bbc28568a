"""Django in one file: tokens to a browser as server-sent events; the generator stops when the browser leaves.

pip install "$CHECKOUT/clients/python" django uvicorn          CHECKOUT names the checkout of dirtyd
dirtyd serve --app model:Model &
uvicorn --lifespan off web_django:web      then open localhost:8000, or: curl -N 'localhost:8000/tokens?prompt=hello'

Under WSGI (gunicorn) Django streams only from a sync generator: take a sync view and `stream`, as web_flask.py does.
"""

from collections.abc import AsyncIterator
from math import ceil

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from dirtyd import errors, get_dirty_client

APP = "model:Model"

settings.configure(ALLOWED_HOSTS=["localhost"], ROOT_URLCONF=__name__)


def page(request: HttpRequest) -> FileResponse:
    return FileResponse(open("tokens.html", "rb"))


async def tokens(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    stream = get_dirty_client().stream_async(APP, "generate", request.GET["prompt"])
    try:
        first = await anext(stream)  # An error before the first chunk still becomes a status.
    except errors.DirtyQueueFullError as error:
        return HttpResponse(status=503, headers={"Retry-After": str(ceil(error.retry_after or 1))})

    async def events() -> AsyncIterator[str]:
        # Django cancels this generator when the browser leaves; the end of the block cancels the action.
        async with stream:
            yield f"data: {first}\n\n"
            async for token in stream:
                yield f"data: {token}\n\n"

    return StreamingHttpResponse(events(), content_type="text/event-stream")


urlpatterns = [path("", page), path("tokens", tokens)]
web = get_asgi_application()
