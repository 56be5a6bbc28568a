"""The web stacks that are tested: each a web server with an app of apps/."""

from dataclasses import dataclass

#: The address on which a web server listens, in the commands below.
SOCKET = "{socket}"

_GUNICORN = ["-m", "gunicorn", "--bind", f"unix:{SOCKET}", "--log-level", "warning", "--graceful-timeout", "20"]
_UVICORN = ["-m", "uvicorn", "--uds", SOCKET, "--log-level", "warning"]
_GRANIAN = ["-m", "granian", "--uds", SOCKET, "--interface", "asgi", "--log-level", "warning", "--no-ws"]


@dataclass(frozen=True)
class Stack:
    """A web server and an app. A style is the first part of a path, `sync` or `async`."""

    name: str
    #: What Python runs.
    command: list[str]
    #: The styles in which the app calls.
    calls: tuple[str, ...]
    #: Those in which it streams, chunk by chunk.
    streams: tuple[str, ...]
    #: Those in which it lets go of a stream at once when the browser leaves; None for all in which it streams.
    leaves: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return self.name


def gunicorn(worker: str, app: str, *options: str) -> list[str]:
    """Return the command of gunicorn with workers of this class."""
    return [*_GUNICORN, "--worker-class", worker, *options, app]


FLASK, FASTAPI = "flask_app:app", "fastapi_app:app"
DJANGO_UVICORN = [*_UVICORN, "--lifespan", "off", "django_app:asgi"]
SYNC, ASYNC, BOTH = ("sync",), ("async",), ("sync", "async")

STACKS = [
    Stack("flask-gunicorn-sync", gunicorn("sync", FLASK, "--workers", "2"), SYNC, SYNC),
    Stack("flask-gunicorn-gthread", gunicorn("gthread", FLASK, "--threads", "4"), SYNC, SYNC),
    # gunicorn's worker patches before it imports the app; with --preload its master imports the app, and dirtyd, first.
    Stack("flask-gunicorn-gevent", gunicorn("gevent", FLASK), SYNC, SYNC),
    Stack("flask-gunicorn-gevent-preload", gunicorn("gevent", FLASK, "--preload"), SYNC, SYNC),
    Stack("flask-eventlet", ["eventlet_server.py", SOCKET], SYNC, SYNC),
    # In a WSGI server each call of an async view has its own event loop, and an async generator is gathered first.
    Stack("django-gunicorn-gthread", gunicorn("gthread", "django_app:wsgi", "--threads", "4"), BOTH, SYNC),
    # In an ASGI server Django gathers a sync generator first.
    Stack("django-uvicorn", DJANGO_UVICORN, BOTH, ASYNC),
    # Starlette runs a sync generator on threads, and cancels that in a way that leaves it to the garbage collection.
    Stack("fastapi-uvicorn-asyncio", [*_UVICORN, "--loop", "asyncio", FASTAPI], BOTH, BOTH, leaves=ASYNC),
    Stack("fastapi-uvicorn-uvloop", [*_UVICORN, "--loop", "uvloop", FASTAPI], BOTH, BOTH, leaves=ASYNC),
    Stack("fastapi-granian", [*_GRANIAN, FASTAPI], BOTH, BOTH, leaves=ASYNC),
    # gunicorn's ASGI worker tells an app 3 s after a browser has left, unless it is told otherwise.
    Stack("fastapi-gunicorn-asgi", gunicorn("asgi", FASTAPI, "--asgi-disconnect-grace-period", "0"), BOTH, BOTH),
]
