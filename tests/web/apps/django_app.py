"""Django in one file: sync and async views, and StreamingHttpResponse over a generator of either kind."""

import os
from collections.abc import AsyncIterator

from dirtyd import errors, get_dirty_client
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from work import WORK

settings.configure(SECRET_KEY="of no use", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__)


def ping(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(os.getpid()))


def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(get_dirty_client().execute(WORK, "echo", _text(request)))


async def echo_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse(await get_dirty_client().execute_async(WORK, "echo", _text(request)))


def _text(request: HttpRequest) -> str:
    return request.GET["text"] * int(request.GET["times"])


def hold(request: HttpRequest) -> HttpResponse:
    return HttpResponse(get_dirty_client().execute(WORK, "hold", request.GET["folder"], str(os.getpid())))


async def hold_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse(await get_dirty_client().execute_async(WORK, "hold", request.GET["folder"], str(os.getpid())))


def refuse(request: HttpRequest) -> HttpResponse:
    try:
        return HttpResponse(get_dirty_client().execute(WORK, "refuse", "no such row"))
    except errors.DirtyAppError as error:
        return _refused(error)


async def refuse_async(request: HttpRequest) -> HttpResponse:
    try:
        return HttpResponse(await get_dirty_client().execute_async(WORK, "refuse", "no such row"))
    except errors.DirtyAppError as error:
        return _refused(error)


def _refused(error: errors.DirtyAppError) -> HttpResponse:
    return HttpResponse(f"{error.code} {error.metadata['row']} {error}", status=404)


def stream(request: HttpRequest, action: str) -> StreamingHttpResponse:
    chunks = get_dirty_client().stream(WORK, action, _argument(request))
    return StreamingHttpResponse((f"{chunk}\n" for chunk in chunks), content_type="text/plain")


async def stream_async(request: HttpRequest, action: str) -> StreamingHttpResponse:
    async def lines() -> AsyncIterator[str]:
        async for chunk in get_dirty_client().stream_async(WORK, action, _argument(request)):
            yield f"{chunk}\n"

    return StreamingHttpResponse(lines(), content_type="text/plain")


def _argument(request: HttpRequest) -> int | str:
    argument = request.GET["argument"]
    return int(argument) if argument.isdigit() else argument


urlpatterns = [
    path("ping", ping),
    path("sync/echo", echo),
    path("sync/hold", hold),
    path("sync/refuse", refuse),
    path("sync/stream/<action>", stream),
    path("async/echo", echo_async),
    path("async/hold", hold_async),
    path("async/refuse", refuse_async),
    path("async/stream/<action>", stream_async),
]

wsgi = get_wsgi_application()
asgi = get_asgi_application()
