"""In every web stack, without an option: calls and streams are right, others are served meanwhile, nothing is left."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running_daemon import Daemon
from stacks import STACKS, Stack
from waiting import content_of, until
from web_server import WebServer, serving

Folder = Callable[[], Path]


@pytest.fixture(scope="module", params=STACKS, ids=str)
def stack(request: pytest.FixtureRequest) -> Stack:
    return request.param


@pytest.fixture(scope="module")
def server(stack: Stack, dirtyd: Daemon) -> Iterator[WebServer]:
    before = dirtyd.connections()
    with tempfile.TemporaryDirectory() as name:
        with serving(Path(name), stack.command, dirtyd.socket) as server:
            yield server
        until(lambda: dirtyd.connections() <= before, "the connections of the web server that ended have ended")


def test_a_call_has_its_result_or_its_error(stack: Stack, server: WebServer) -> None:
    for style in stack.calls:
        assert server.echo(style, "grün") == "grün"
        assert server.echo(style, "large", 200_000) == "large" * 200_000
        with server.request(f"/{style}/refuse") as refused:
            assert refused.status_and_body() == (404, "NOT_FOUND 7 no such row")


def test_others_are_served_while_a_call_runs(stack: Stack, server: WebServer, folder: Folder) -> None:
    for style in stack.calls:
        files = folder()
        with server.request(f"/{style}/hold", folder=files) as held:
            content_of(files / "started")
            # Only this test lets the call end, and it does so only behind these answers.
            server.get("/ping")
            assert server.echo(style, "beside") == "beside"
            (files / "release").touch()
            assert held.body() == "released"


def test_chunks_come_as_they_are_produced_and_others_are_served_meanwhile(
    stack: Stack, server: WebServer, folder: Folder
) -> None:
    for style in stack.streams:
        files = folder()
        with server.request(f"/{style}/stream/two_halves", argument=files) as stream:
            assert stream.line() == "first\n"
            server.get("/ping")
            (files / "release").touch()
            assert stream.body() == "second\n"


def test_a_long_stream_is_whole(stack: Stack, server: WebServer) -> None:
    expected = "".join(f"{number}\n" for number in range(3000))
    for style in stack.calls:  # The style that gathers a stream first does not lose a chunk, either.
        assert server.get(f"/{style}/stream/count", argument=3000) == expected


def test_a_browser_that_leaves_closes_the_generator(stack: Stack, server: WebServer, folder: Folder) -> None:
    for style in _leaves(stack):
        _leave_a_stream(server, style, folder())


def test_connections_and_descriptors_do_not_grow(
    stack: Stack, server: WebServer, dirtyd: Daemon, folder: Folder
) -> None:
    def use(rounds: int) -> None:
        for _ in range(rounds):
            for style in stack.calls:
                server.echo(style, "x")
            for style in stack.streams:
                server.get(f"/{style}/stream/count", argument=3)
            for style in _leaves(stack):
                _leave_a_stream(server, style, folder())

    use(5)
    connections, descriptors = dirtyd.connections(), server.descriptors()
    use(20)
    # A process that had not called before may open its connection.
    more = len(server.workers())
    until(lambda: dirtyd.connections() <= connections + more, f"no more than {connections} + {more} connections")
    until(lambda: server.descriptors() <= descriptors + more, f"no more than {descriptors} + {more} descriptors")


def _leaves(stack: Stack) -> tuple[str, ...]:
    return stack.streams if stack.leaves is None else stack.leaves


def _leave_a_stream(server: WebServer, style: str, files: Path) -> None:
    """Read three chunks, go away, and wait until the generator in the worker is closed."""
    with server.request(f"/{style}/stream/endless", argument=files) as stream:
        assert [stream.line() for _ in range(3)] == ["0\n", "1\n", "2\n"]
    content_of(files / "closed")
