"""What Django alone does: it cancels an async view whose browser has left."""

from collections.abc import Callable
from pathlib import Path

from running_daemon import Daemon
from stacks import DJANGO_UVICORN
from waiting import content_of
from web_server import serving


def test_a_browser_that_leaves_an_async_view_cancels_its_call(
    dirtyd: Daemon, no_connection_left: None, short_path: Path, folder: Callable[[], Path]
) -> None:
    files = folder()
    with serving(short_path, DJANGO_UVICORN, dirtyd.socket) as server:
        with server.request("/async/hold", folder=files):
            content_of(files / "started")
        content_of(files / "left")
        assert server.echo("async", "afterwards") == "afterwards"
