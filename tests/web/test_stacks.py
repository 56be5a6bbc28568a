"""In every web stack, without an option: calls and streams are right, others are served meanwhile, nothing is left."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stacks import STACKS, Stack
from waiting import content_of, until
from web_server import WebServer, serving

from conftest import Daemon

Folder = Callable[[], Path]

CALLS = [pytest.param(stack, style, id=f"{stack}-{style}") for stack in STACKS for style in stack.calls]
STREAMS = [pytest.param(stack, style, id=f"{stack}-{style}") for stack in STACKS for style in stack.streams]


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, dirtyd: Daemon) -> Iterator[WebServer]:
    """A web server of the stack that a test names."""
    before = dirtyd.connections()
    with tempfile.TemporaryDirectory() as name:
        with serving(Path(name), request.param.command, dirtyd.socket) as server:
            yield server
        until(lambda: dirtyd.connections() <= before, "the connections of the web server that ended have ended")


@pytest.mark.parametrize(("server", "style"), CALLS, indirect=["server"])
def test_a_call_has_its_result_or_its_error(server: WebServer, style: str) -> None:
    assert server.echo(style, "grün") == "grün"
    assert server.echo(style, "large", 200_000) == "large" * 200_000
    with server.request(f"/{style}/refuse") as refused:
        assert refused.status_and_body() == (404, "NOT_FOUND 7 no such row")


@pytest.mark.parametrize(("server", "style"), CALLS, indirect=["server"])
def test_others_are_served_while_a_call_runs(server: WebServer, style: str, folder: Folder) -> None:
    files = folder()
    with server.request(f"/{style}/hold", folder=files) as held:
        content_of(files / "started")
        # Only this test lets the call end, and it does so only behind these answers.
        server.get("/ping")
        assert server.echo(style, "beside") == "beside"
        (files / "release").touch()
        assert held.body() == "released"


@pytest.mark.parametrize(("server", "style"), STREAMS, indirect=["server"])
def test_chunks_come_as_they_are_produced_and_others_are_served_meanwhile(
    server: WebServer, style: str, folder: Folder
) -> None:
    files = folder()
    with server.request(f"/{style}/stream/two_halves", argument=files) as stream:
        assert stream.line() == "first\n"
        server.get("/ping")
        (files / "release").touch()
        assert stream.body() == "second\n"


@pytest.mark.parametrize(("server", "style"), CALLS, indirect=["server"])
def test_a_long_stream_is_whole(server: WebServer, style: str) -> None:
    expected = "".join(f"{number}\n" for number in range(3000))
    assert server.get(f"/{style}/stream/count", argument=3000) == expected


@pytest.mark.parametrize(("server", "style"), STREAMS, indirect=["server"])
def test_a_browser_that_leaves_closes_the_generator(server: WebServer, style: str, folder: Folder) -> None:
    _leave_a_stream(server, style, folder())


@pytest.mark.parametrize("server", STACKS, ids=str, indirect=True)
def test_connections_and_descriptors_do_not_grow(
    server: WebServer, request: pytest.FixtureRequest, dirtyd: Daemon, folder: Folder
) -> None:
    stack: Stack = request.node.callspec.params["server"]

    def use(rounds: int) -> None:
        for _ in range(rounds):
            for style in stack.calls:
                server.echo(style, "x")
            for style in stack.streams:
                server.get(f"/{style}/stream/count", argument=3)
                _leave_a_stream(server, style, folder())

    use(5)
    connections, descriptors = dirtyd.connections(), server.descriptors()
    use(20)
    # A process that had not called before may open its connection.
    more = len(server.workers())
    until(lambda: dirtyd.connections() <= connections + more, f"no more than {connections} + {more} connections")
    until(lambda: server.descriptors() <= descriptors + more, f"no more than {descriptors} + {more} descriptors")


def _leave_a_stream(server: WebServer, style: str, files: Path) -> None:
    """Read three chunks, go away, and wait until the generator in the worker is closed."""
    with server.request(f"/{style}/stream/endless", argument=files) as stream:
        assert [stream.line() for _ in range(3)] == ["0\n", "1\n", "2\n"]
    content_of(files / "closed")
