"""Answers of HTTP/1.1, cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirtyd.client.connect import Unary
from dirtyd.client.http1 import MAX_HEAD, MAX_LINE, Answer, Malformed, read_head, whole
from dirtyd.client.status import Failed

BODIES = st.binary(max_size=300)


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """Return the body in chunks of any size, with extensions and trailers."""
    chunks, at = [], 0
    while at < len(body):
        size = draw(st.integers(1, len(body) - at))
        line = draw(st.sampled_from([b"%x", b"%X", b"000%x", b"%x;a=b", b"%x ; a"])) % size
        chunks.append(b"%b\r\n%b\r\n" % (line, body[at : at + size]))
        at += size
    trailers = draw(st.sampled_from([b"", b"a: b\r\n", b"a: b\r\nc: d\r\n"]))
    return b"".join(chunks) + b"0\r\n" + trailers + b"\r\n"


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes, bool]:
    """Return an answer, its body, and whether the answer says where it ends."""
    body = draw(BODIES)
    begin = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\na: b\r\n\r\n"]))
    begin += b"HTTP/1.1 200 OK\r\nX-Other: a:b\r\n"
    kind = draw(st.sampled_from(["length", "chunked", "until the end"]))
    if kind == "length":
        return begin + b"Content-Length:  %d \r\n\r\n%b" % (len(body), body), body, True
    if kind == "chunked":
        return begin + b"transfer-encoding: Chunked\r\n\r\n" + draw(chunked(body)), body, True
    return begin + b"\r\n" + body, body, False


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False) if start < end]


@given(answers(), st.lists(st.integers(0, 1000)), st.booleans())
def test_an_answer_is_the_same_wherever_it_is_cut(
    given_answer: tuple[bytes, bytes, bool], places: list[int], excess: bool
) -> None:
    data, body, has_end = given_answer
    answer, pieces = Answer(), []
    for piece in cut(data, places):
        assert not answer.done
        pieces += answer.feed(piece)
    assert answer.done == has_end
    if has_end and excess:
        assert answer.feed(b"x") == []
    assert answer.end()
    assert b"".join(pieces) == body
    assert answer.head is not None
    assert (answer.head.status, answer.head.keep_alive, answer.excess) == (200, has_end, has_end and excess)


@given(answers(), st.data())
def test_an_answer_that_is_cut_off_is_not_whole(given_answer: tuple[bytes, bytes, bool], choice: st.DataObject) -> None:
    data, _, has_end = given_answer
    answer = Answer()
    if stop := choice.draw(st.integers(0, len(data) - 1)):
        answer.feed(data[:stop])
    assert answer.end() == (not has_end and answer.head is not None)


@given(st.lists(st.integers(0, 110_000), max_size=20))
def test_a_large_body_is_read_in_place(places: list[int]) -> None:
    body = bytes(range(250)) * 400
    data = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    unary, done = Unary(), False
    for piece in cut(data, places):
        while piece:
            room = unary.room()
            if room is None:
                done, piece = unary.feed(piece), b""
            else:
                count = min(len(room), len(piece))
                room[:count] = piece[:count]
                done, piece = unary.filled(count), piece[count:]
    assert done
    assert unary.result()[1:] == (body, True)


def test_a_small_answer_in_one_piece_takes_the_short_way() -> None:
    data = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab"
    answer = whole(data)
    assert answer is not None
    assert (answer[0].status, answer[1]) == (200, b"ab")
    for other in (data[:-1], data + b"c", b"", b"HTTP/1.1 100 Continue\r\ncontent-length: 0\r\n\r\n"):
        assert whole(other) is None


@pytest.mark.parametrize(
    ("lines", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0", True),
        (b"HTTP/1.1 204 No Content", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nConnection: Close", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: x, close", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive", True),
        (b"HTTP/1.1 200 OK", False),
    ],
)
def test_which_connections_are_kept(lines: bytes, keeps: bool) -> None:
    assert read_head(lines).keep_alive == keeps


def feed(answer: Answer, pieces: list[bytes]) -> None:
    for piece in pieces:
        answer.feed(piece)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0x5\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1_0\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n;a\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\rb\n",
        b"HTTP/1.1 200 OK\r\na: " + b"b" * MAX_HEAD,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1" * (MAX_LINE + 1),
    ],
)
def test_what_is_malformed_is_refused_wherever_it_is_cut(data: bytes) -> None:
    with pytest.raises(Malformed):
        Answer().feed(data)
    pieces = cut(data, list(range(0, len(data), max(1, len(data) // 100))))
    with pytest.raises(Malformed):
        feed(Answer(), pieces)


def test_an_end_without_an_answer_is_told_from_one_within() -> None:
    with pytest.raises(Failed) as caught:
        Unary().end()
    assert caught.value.message == "it ended without an answer"
    unary = Unary()
    unary.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na")
    with pytest.raises(Failed) as caught:
        unary.end()
    assert caught.value.message == "it ended before the answer did"
