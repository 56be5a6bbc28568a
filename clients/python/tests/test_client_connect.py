"""Connect: requests as bytes, and what answers hold."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirtyd.client.connect import Chunks, metadata_lines, stream_request, unary_request, unary_result
from dirtyd.client.http1 import Malformed, whole
from dirtyd.client.status import Failed, to_dirty_error

STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: application/connect+proto\r\ntransfer-encoding: chunked\r\n\r\n"


def test_requests() -> None:
    metadata = metadata_lines([("x-user", "ann"), ("x-raw-bin", b"\xff\xfe")])
    assert unary_request(b"abc", metadata, 2.5) == (
        b"POST /dirty.v1.Arbiter/Execute HTTP/1.1\r\n"
        b"host: dirtyd\r\n"
        b"content-type: application/proto\r\n"
        b"connect-protocol-version: 1\r\n"
        b"connect-timeout-ms: 2500\r\n"
        b"x-user: ann\r\n"
        b"x-raw-bin: //4\r\n"
        b"content-length: 3\r\n"
        b"\r\n"
        b"abc"
    )
    assert stream_request(b"abc", b"", None) == (
        b"POST /dirty.v1.Arbiter/ExecuteStream HTTP/1.1\r\n"
        b"host: dirtyd\r\n"
        b"content-type: application/connect+proto\r\n"
        b"connect-protocol-version: 1\r\n"
        b"content-length: 8\r\n"
        b"\r\n"
        b"\0\0\0\0\3abc"
    )


@pytest.mark.parametrize(
    ("timeout", "told"),
    [
        (0.0, b"1"),
        (-1.0, b"1"),
        (0.0001, b"1"),
        (1.0001, b"1001"),
        (9_999_999.0, b"9999999000"),
        (1e7, None),
        (1e99, None),
    ],
)
def test_timeouts_are_rounded_up_and_have_ten_digits(timeout: float, told: bytes | None) -> None:
    line = b"connect-timeout-ms: "
    assert unary_request(b"", b"", timeout).partition(line)[2].partition(b"\r\n")[0] == (told or b"")


@pytest.mark.parametrize(
    "entry",
    [
        ("", "a"), ("X-A", "a"), ("x a", "a"), ("x:a", "a"), ("x\r\na", "a"), ("é", "a"), ("content-length", "1"),
        ("host", "a"), ("connection", "close"), ("transfer-encoding", "chunked"), ("connect-timeout-ms", "1"),
        ("x-a", "a\r\nb: c"), ("x-a", "a\nb"), ("x-a", "é"), ("x-a", b"\xff"), ("x-a", "\0"),
    ],
)  # fmt: skip
def test_metadata_that_cannot_be_sent_is_refused(entry: tuple[str, str | bytes]) -> None:
    with pytest.raises(ValueError, match="metadata"):
        metadata_lines([entry])


def failed_unary(head: bytes, body: bytes = b"") -> Failed:
    answer = whole(b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (head, len(body), body))
    assert answer is not None
    with pytest.raises(Failed) as caught:
        unary_result(*answer)
    return caught.value


@pytest.mark.parametrize(
    ("head", "body", "code", "message"),
    [
        (b"400 Bad Request", b"", "INTERNAL", "HTTP status 400"),
        (b"401 Unauthorized", b"", "UNAUTHENTICATED", "HTTP status 401"),
        (b"403 Forbidden", b"no\n", "PERMISSION_DENIED", "HTTP status 403: no"),
        (b"404 Not Found", b"", "UNIMPLEMENTED", "HTTP status 404"),
        (b"408 Request Timeout", b"", "UNKNOWN", "HTTP status 408"),
        (b"429 Too Many Requests", b"", "UNAVAILABLE", "HTTP status 429"),
        (b"502 Bad Gateway", b"", "UNAVAILABLE", "HTTP status 502"),
        (b"503 Service Unavailable", b"\xff", "UNAVAILABLE", "HTTP status 503: \ufffd"),
        (b"504 Gateway Timeout", b"", "UNAVAILABLE", "HTTP status 504"),
        (b"500 Internal Server Error", b"", "UNKNOWN", "HTTP status 500"),
        (b"503 x\r\ncontent-type: application/json", b"[1]", "UNAVAILABLE", "HTTP status 503: [1]"),
        (b"503 x\r\ncontent-type: application/json", b"{", "UNAVAILABLE", "HTTP status 503: {"),
        (b"503 x\r\ncontent-type: application/json", b'{"code": "aborted"}', "ABORTED", ""),
        (b"503 x\r\ncontent-type: application/json", b'{"code": "canceled", "message": "a"}', "CANCELLED", "a"),
        (b"503 x\r\ncontent-type: application/json", b'{"code": "new"}', "UNKNOWN", ""),
        (b"200 OK\r\ncontent-type: text/html", b"<p>", "INTERNAL", "the answer's content-type is 'text/html'"),
    ],
)
def test_answers_without_a_result(head: bytes, body: bytes, code: str, message: str) -> None:
    failed = failed_unary(head, body)
    assert (failed.code, failed.message) == (code, message)


@pytest.mark.parametrize("details", [7, [7], [{}], [{"type": "google.rpc.ErrorInfo", "value": "!"}], {"a": 1}])
def test_malformed_details_do_not_hide_the_error(details: Any) -> None:
    error = to_dirty_error(Failed("ABORTED", "it failed", details), "m:A", "go", "/s")
    assert (error.message, error.code, error.reason, error.app) == ("it failed", "ABORTED", "", "m:A")


def test_an_error_info_of_another_domain_is_not_ours() -> None:
    value = b64encode(b"\x0a\x01R\x12\x01D").decode()
    error = to_dirty_error(Failed("ABORTED", "", [{"type": "google.rpc.ErrorInfo", "value": value}]), "m:A", "go", "/s")
    assert (error.message, error.reason) == ("ABORTED", "")


def envelope(flags: int, message: bytes) -> bytes:
    return bytes((flags,)) + len(message).to_bytes(4, "big") + message


def in_chunks(data: bytes, places: list[int]) -> bytes:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    pieces = [data[start:end] for start, end in zip([0, *ends], ends, strict=False) if start < end]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


PLACES = st.lists(st.integers(0, 1000))


@given(st.lists(st.binary(max_size=40)), PLACES, PLACES)
def test_envelopes_are_the_same_wherever_they_are_cut(
    messages: list[bytes], chunks: list[int], cuts: list[int]
) -> None:
    data = STREAM + in_chunks(b"".join(envelope(0, message) for message in messages) + envelope(2, b"{}"), chunks)
    stream = Chunks()
    ends = sorted({place % (len(data) + 1) for place in cuts} | {len(data)})
    for start, end in zip([0, *ends], ends, strict=False):
        if start < end:
            stream.feed(data[start:end])
    assert list(stream.messages) == messages
    assert (stream.ended, stream.failure, stream.keeps()) == (True, None, True)


def test_a_message_of_megabytes() -> None:
    message = bytes(range(256)) * 20_000
    data = STREAM + in_chunks(envelope(0, message) + envelope(2, b"{}"), list(range(0, len(message), 16_000)))
    stream = Chunks()
    for at in range(0, len(data), 65_536):
        stream.feed(data[at : at + 65_536])
    assert list(stream.messages) == [message]
    assert stream.ended


def test_the_error_at_the_end_of_a_stream() -> None:
    stream = Chunks()
    end = json.dumps({"error": {"code": "aborted", "message": "a"}, "metadata": {}}).encode()
    stream.feed(STREAM + in_chunks(envelope(0, b"x") + envelope(2, end), []))
    assert list(stream.messages) == [b"x"]
    assert stream.failure is not None
    assert (stream.failure.code, stream.failure.message, stream.keeps()) == ("ABORTED", "a", True)


@pytest.mark.parametrize(
    ("data", "closes", "message"),
    [
        (STREAM + in_chunks(envelope(0, b"x"), []), False, "the stream ended without its last message"),
        (STREAM + b"6\r\n" + envelope(0, b"x"), True, "it ended before the stream did"),
        (b"", True, "it ended without an answer"),
        (b"HTTP/1.1 503 x\r\n\r\nbusy", True, "HTTP status 503: busy"),
        (b"HTTP/1.1 503 x\r\ncontent-length: 4\r\n\r\nbusy", False, "HTTP status 503: busy"),
    ],
)
def test_a_stream_without_its_end_is_broken(data: bytes, closes: bool, message: str) -> None:
    stream = Chunks()
    if data:
        stream.feed(data)
    assert stream.ended == (not closes)
    if closes:
        stream.end()
    assert stream.ended
    assert stream.failure is not None
    assert (stream.failure.code, stream.failure.message) == ("UNAVAILABLE", message)


@pytest.mark.parametrize("data", [envelope(1, b"zip"), envelope(2, b"{}") + envelope(0, b"x"), envelope(2, b"{}") * 2])
def test_envelopes_that_cannot_be(data: bytes) -> None:
    with pytest.raises(Malformed, match="envelope"):
        Chunks().feed(STREAM + in_chunks(data, []))
