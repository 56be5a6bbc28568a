"""Connections of the client: when they serve again, break, and are closed."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dirtyd import DirtyClient, errors
from dirtyd.client import blocking, pool
from kinds import PATIENCE, Call, eventually, every_kind_of_call, execute, execute_async, stream, stream_async
from server_process import Server

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\n"
ONE = b"\x0a\x02\x18\x01"  # An ExecuteResponse with the int 1.
UNREAD = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: application/connect+proto\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNK, LAST = b"\0\0\0\0\4" + ONE, b"\2\0\0\0\2{}"


@pytest.fixture
def client(server: Server) -> Iterator[DirtyClient]:
    with DirtyClient(server.socket) as client:
        yield client


def count(server: Server, name: str) -> int:
    """Return what the server has counted, without the connection that asks."""
    with DirtyClient(server.socket) as other:
        return other.execute("m:A", "count", name) - (name in ("connections", "open"))


@every_kind_of_call
def test_one_call_after_another_takes_one_connection(client: DirtyClient, server: Server, call: Call) -> None:
    for _ in range(10):
        call(client, "numbers", 3)
    assert count(server, "connections") == 1


@every_kind_of_call
def test_a_request_that_was_not_read_is_sent_again(client: DirtyClient, server: Server, call: Call) -> None:
    for _ in range(3):
        before = execute_async if call in (execute_async, stream_async) else execute
        before(client, "then", "unread")
        assert call(client, "numbers", 2) in ([0, 1], {"app": "m:A", "action": "numbers", "args": [2], "kwargs": {}})
    assert count(server, "connections") == 4


@every_kind_of_call
def test_a_request_that_nobody_reads_is_not_sent_for_ever(client: DirtyClient, server: Server, call: Call) -> None:
    with pytest.raises(errors.DirtyConnectionError) as caught:
        call(client, "raw", [UNREAD], "close")
    assert "it closes each connection without reading a request" in caught.value.message
    assert caught.value.is_safe_to_retry
    assert count(server, "connections") == pool.TRIES


@every_kind_of_call
def test_a_connection_that_ends_without_an_answer_is_not_sent_again(
    client: DirtyClient, server: Server, call: Call
) -> None:
    before = execute_async if call in (execute_async, stream_async) else execute
    before(client, "then", "drop")
    with pytest.raises(errors.DirtyConnectionError) as caught:
        call(client.options(retries=5), "numbers", 2)
    path = client.socket_path
    assert (
        caught.value.message == f"the connection to dirtyd at {path} broke during the call: it ended without an answer"
    )
    assert (caught.value.code, caught.value.is_safe_to_retry) == ("UNAVAILABLE", False)
    assert call(client, "numbers", 1)


@every_kind_of_call
@pytest.mark.parametrize("look_after", [0, 1000])
def test_a_connection_that_was_closed_while_it_rested_is_replaced(
    client: DirtyClient, server: Server, call: Call, look_after: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the client sees it before, or only when it sends."""
    monkeypatch.setattr(blocking, "LOOK_AFTER", look_after)
    before = execute_async if call in (execute_async, stream_async) else execute
    before(client, "then", "close")
    eventually(lambda: count(server, "open") == 0)
    assert call(client, "numbers", 1)
    assert count(server, "open") == 1


@every_kind_of_call
def test_bytes_that_nobody_asked_for_end_a_connection(client: DirtyClient, server: Server, call: Call) -> None:
    body = OK + b"content-length: 4\r\n\r\n" + ONE
    if call in (stream, stream_async):
        body = STREAM + b"9\r\n" + CHUNK + b"\r\n7\r\n" + LAST + b"\r\n0\r\n\r\n"
    assert call(client, "raw", [body + b"x"]) in (1, [1])
    assert call(client, "numbers", 1)
    assert count(server, "connections") == 2


@pytest.mark.parametrize("call", [execute, execute_async])
@pytest.mark.parametrize(
    ("head", "body", "keeps"),
    [
        (b"content-length: 4\r\n", ONE, True),
        (b"transfer-encoding: chunked\r\n", b"1\r\n\x0a\r\n3;x\r\n\x02\x18\x01\r\n0\r\na: b\r\n\r\n", True),
        (b"content-length: 4\r\nconnection: close\r\n", ONE, False),
        (b"", ONE, False),
    ],
    ids=["length", "chunked", "closing", "until the end"],
)
def test_answers_in_any_pieces(
    client: DirtyClient, server: Server, call: Call, head: bytes, body: bytes, keeps: bool
) -> None:
    data = OK + head + b"\r\n" + body
    pieces = [data[at : at + 1] for at in range(len(data))]
    assert call(client, "raw", pieces, "" if keeps else "close") == 1
    assert call(client, "go")["action"] == "go"
    assert count(server, "connections") == (1 if keeps else 2)


@pytest.mark.parametrize("call", [stream, stream_async])
def test_streams_in_any_pieces(client: DirtyClient, server: Server, call: Call) -> None:
    chunks = CHUNK * 3 + LAST
    data = STREAM + b"".join(b"2\r\n%b\r\n" % chunks[at : at + 2] for at in range(0, len(chunks), 2)) + b"0\r\n\r\n"
    for size in (1, 7, 50):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        assert call(client, "raw", pieces) == [1, 1, 1]
    assert count(server, "connections") == 1


@every_kind_of_call
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (OK + b"content-length: 4\r\n\r\n\x0a", "it ended before"),
        (OK, "it ended"),
        (STREAM + b"9\r\n" + CHUNK + b"\r\n", "it ended before"),
        (STREAM + b"9\r\n" + CHUNK + b"\r\n0\r\n\r\n", "the stream ended without"),
        (b"SSH-2.0\r\n\r\n", "an answer begins with b'SSH-2.0'"),
    ],
)
def test_half_an_answer(client: DirtyClient, call: Call, data: bytes, why: str) -> None:
    if why.startswith("the stream") and call in (execute, execute_async):
        pytest.skip("only streams have a last message")
    with pytest.raises(errors.DirtyError) as caught:
        call(client, "raw", [data], "close")
    assert not caught.value.is_safe_to_retry
    is_other_kind = (b"connect+" in data) != (call in (stream, stream_async)) and b"content-type" in data
    if is_other_kind and not isinstance(caught.value, errors.DirtyConnectionError):
        assert "content-type" in caught.value.message
    else:
        assert isinstance(caught.value, errors.DirtyConnectionError)
        assert f"broke during the call: {why.partition(' before')[0]}" in caught.value.message
    assert call(client, "numbers", 1)


def test_connections_that_are_not_needed_any_longer_are_closed(
    client: DirtyClient, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = [threading.Thread(target=client.execute, args=("m:A", "never")) for _ in range(4)]
    streams = [client.stream("m:A", "numbers", 1) for _ in range(5)]
    for chunks in streams:
        assert list(chunks) == [0]
    assert (count(server, "open"), threads) == (5, threads)
    now = time.monotonic()
    monkeypatch.setattr(pool, "monotonic", lambda: now + pool.REST - 1)
    client.execute("m:A", "go")
    assert count(server, "open") == 5
    monkeypatch.setattr(pool, "monotonic", lambda: now + pool.REST + 1)
    client.execute("m:A", "go")
    eventually(lambda: count(server, "open") == 1)


def in_thread(function: Callable[[], Any]) -> Callable[[], Any]:
    """Start a thread; return what waits for it and returns the exception that it met."""
    met: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            met.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def join() -> BaseException | None:
        thread.join(PATIENCE)
        assert not thread.is_alive()
        return met[0] if met else None

    return join


def test_an_interrupt_cancels_the_call(client: DirtyClient, server: Server) -> None:
    def interrupt() -> None:
        eventually(lambda: count(server, "waiting") == 1)
        signal.pthread_kill(main.ident or 0, signal.SIGUSR1)

    def raise_(*_: object) -> None:
        raise KeyboardInterrupt

    main = threading.current_thread()
    before = signal.signal(signal.SIGUSR1, raise_)
    try:
        client.execute("m:A", "go")
        done = in_thread(interrupt)
        with pytest.raises(KeyboardInterrupt):
            client.execute("m:A", "never")
        assert done() is None
    finally:
        signal.signal(signal.SIGUSR1, before)
    eventually(server.ended)
    assert client.execute("m:A", "go")["action"] == "go"


def test_closing_the_client_ends_its_calls(client: DirtyClient, server: Server) -> None:
    chunks = client.stream("m:A", "endless", 1)
    assert next(chunks) == 0
    called = in_thread(lambda: client.execute("m:A", "never"))
    eventually(lambda: count(server, "waiting") == 2)
    client.close()
    error = called()
    assert isinstance(error, errors.DirtyCancelledError)
    assert (error.code, error.message) == ("CANCELLED", "the client was closed")
    with pytest.raises(errors.DirtyCancelledError):
        next(chunks)
    eventually(lambda: count(server, "waiting") == 0)
    assert client.execute("m:A", "go")["action"] == "go"


def test_a_stream_that_another_thread_closes(client: DirtyClient, server: Server) -> None:
    chunks = client.stream("m:A", "endless", 1)
    assert next(chunks) == 0
    read = in_thread(lambda: next(chunks))
    eventually(lambda: count(server, "waiting") == 1)
    chunks.close()
    assert isinstance(read(), (errors.DirtyCancelledError, StopIteration))
    eventually(server.ended)
    eventually(lambda: count(server, "open") == 0)
    assert list(chunks) == []


def test_a_stream_that_is_closed_while_a_retry_waits(client: DirtyClient, server: Server) -> None:
    failure = ("x", 1000, "UNAVAILABLE", "DRAINING", {}, 0.2)
    chunks = client.options(retries=1000).stream("m:A", "fail_first", 3, *failure)
    read = in_thread(lambda: next(chunks))
    eventually(lambda: count(server, "x") == 1)
    chunks.close()
    assert isinstance(read(), (errors.DirtyError, StopIteration))
    attempts = count(server, "x")
    assert list(chunks) == []
    assert count(server, "x") == attempts


def test_two_threads_share_a_stream(client: DirtyClient) -> None:
    chunks, seen = client.stream("m:A", "numbers", 2000), [[], []]
    threads = [in_thread(lambda mine=mine: mine.extend(chunks)) for mine in seen]
    assert [join() for join in threads] == [None, None]
    assert sorted(seen[0] + seen[1]) == list(range(2000))


@every_kind_of_call
def test_a_server_that_takes_no_request_holds_no_caller(client: DirtyClient, server: Server, call: Call) -> None:
    client.execute("m:A", "go")
    server.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(errors.DirtyTimeoutError) as caught:
            call(client.options(timeout=0.05), "go", bytes(10_000_000))
        assert time.monotonic() - began < PATIENCE
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert (caught.value.code, caught.value.reason) == ("DEADLINE_EXCEEDED", "NO_ANSWER")


@every_kind_of_call
def test_a_server_that_takes_no_connection_holds_no_caller(tmp_path: Path, call: Call) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(str(tmp_path / "s"))
            with pytest.raises(errors.DirtyTimeoutError) as caught, DirtyClient(tmp_path / "s", timeout=0.05) as client:
                call(client, "go")
        finally:
            for one in waiting:
                one.close()
    assert caught.value.reason == "NO_ANSWER"


@every_kind_of_call
def test_an_answer_before_the_request_is_taken(tmp_path: Path, call: Call) -> None:
    """As when the request is too large: the server answers and closes, and the rest of the request goes nowhere."""
    error = b'{"code": "resource_exhausted", "message": "too large"}'
    answer = b"HTTP/1.1 429 x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(error), error)
    with socket.socket(socket.AF_UNIX) as listener, DirtyClient(tmp_path / "s") as client:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def refuse() -> None:
            connection = listener.accept()[0]
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        refused = in_thread(refuse)
        with pytest.raises(errors.DirtyError) as caught:
            call(client, "go", bytes(10_000_000))
        assert refused() is None
    assert (caught.value.code, caught.value.message) == ("RESOURCE_EXHAUSTED", "too large")


@pytest.mark.parametrize("call", [stream, stream_async])
def test_a_stream_that_only_drips_ends_after_its_deadline(client: DirtyClient, server: Server, call: Call) -> None:
    with pytest.raises(errors.DirtyTimeoutError) as caught:
        call(client.options(timeout=0.05), "drips", 1)
    assert caught.value.reason == "NO_ANSWER"
    eventually(server.ended)


def test_bytes_that_come_while_a_connection_rests_are_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocking, "LOOK_AFTER", 0)
    answers = [OK + b"content-length: 4\r\n\r\n\x0a\x02\x18" + bytes((number,)) for number in range(3)]
    with socket.socket(socket.AF_UNIX) as listener, DirtyClient(tmp_path / "s") as client:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        strayed = threading.Event()

        def serve() -> None:
            with listener.accept()[0] as first:
                first.recv(1000)
                first.sendall(answers[0])
                first.sendall(answers[1])
                strayed.set()
                with listener.accept()[0] as second:
                    second.recv(1000)
                    second.sendall(answers[2])

        served = in_thread(serve)
        seen = client.execute("m:A", "go")
        assert strayed.wait(PATIENCE)
        assert (seen, client.execute("m:A", "go")) == (0, 2)
        assert served() is None


EXIT = """
import sys, dirtyd
client = dirtyd.DirtyClient(sys.argv[1])
client.execute("m:A", "go")
stream = client.stream("m:A", "endless", 2)
assert next(stream) == 0
other = dirtyd.get_dirty_client(socket_path=sys.argv[1])
def half():
    for chunk in other.stream("m:A", "endless", 2):
        yield chunk
generator = half()
assert next(generator) == 0
"""


def test_the_end_of_the_interpreter_is_quiet(server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", EXIT, server.socket],
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    eventually(lambda: count(server, "open") == 0)


def test_the_import_is_light() -> None:
    """The client needs protobuf only, and loads what only some calls need when they need it."""
    script = "import sys, dirtyd.client; print(sorted({'asyncio', 'numpy', 'grpc', 'ssl'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.stdout, done.stderr) == ("[]\n", "")
