"""What is read and written by hand is what protobuf reads and writes, even for bytes that nobody should send."""

import struct
from contextlib import suppress

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from dirtyd._proto.dirty.v1.arbiter_pb2 import ExecuteRequest
from dirtyd._proto.dirty.v1.value_pb2 import Value
from dirtyd._proto.dirty.worker.v1 import worker_pb2 as pb
from dirtyd.values import MAX_DEPTH, decode, encode
from dirtyd.worker.wire import NAMES, read_arguments, read_names, read_request, request_of
from dirtyd.worker.wire_values import Unusual, read_value, read_varint, varint, write_value

text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | text | st.binary(max_size=300)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=30)
numbers = st.integers(0, 2**64 - 1)
requests = st.builds(
    pb.Request,
    call_id=numbers,
    timeout_micros=numbers,
    stream=st.booleans(),
    request_id=text,
    payload=st.binary(max_size=300),
    metadata=st.lists(st.builds(pb.Metadata, key=text, value=st.binary()), max_size=1),
    app=text,
    action=text,
    payload_kind=st.integers(-(2**31), 2**31 - 1),
    credit=st.none() | st.builds(pb.Credit, chunks=st.integers(0, 2**32 - 1), bytes=numbers),
)


def exact(value: object) -> object:
    """Return a value that compares with ==, in which True is not 1 and one NaN equals another."""
    if isinstance(value, dict):
        return dict, {key: exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return list, [exact(item) for item in value]
    return type(value), struct.pack("<d", value) if isinstance(value, float) else value


def execute_request(args: list[object], kwargs: dict[str, object]) -> bytes:
    message = ExecuteRequest(app="apps:App", action="act")
    for value in args:
        encode(value, message.args.add())
    for key, value in kwargs.items():
        encode(value, message.kwargs[key])
    return message.SerializeToString()


def by_protobuf(payload: bytes) -> tuple[object, ...]:
    request = ExecuteRequest.FromString(payload)
    args = [decode(value) for value in request.args]
    return request.app, request.action, exact(args), exact({key: decode(item) for key, item in request.kwargs.items()})


def without_names(payload: bytes) -> bytes:
    """Return an ExecuteRequest without its names, which need not even be text if nobody reads them."""
    kept, at = b"", 0
    while at < len(payload):
        size, start = read_varint(payload, at + 1)
        if payload[at] not in NAMES:
            kept += payload[at : start + size]
        at = start + size
    return kept


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Draw bytes and change, remove or insert a few of them."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(data)


@given(values)
def test_protobuf_reads_what_is_written_by_hand(value: object) -> None:
    assert exact(decode(Value.FromString(write_value(value)))) == exact(value)


@given(st.lists(values, max_size=3), st.dictionaries(text, values, max_size=3), st.booleans())
def test_arguments_are_read_without_protobuf(args: list[object], kwargs: dict[str, object], view: bool) -> None:
    payload = execute_request(args, kwargs)
    data = memoryview(bytearray(payload)) if view else payload
    names = read_names(data)
    assert names is not None
    assert names[:2] == ("apps:App", "act")
    for at in (0, names[2]):
        read = read_arguments(data, at)
        assert read is not None
        assert [*map(exact, read)] == [exact(args), exact(kwargs)]


@given(damaged(st.builds(execute_request, st.lists(values, max_size=2), st.dictionaries(text, values, max_size=2))))
def test_damaged_arguments_are_read_as_by_protobuf_or_not_at_all(payload: bytes) -> None:
    read = read_arguments(payload)
    if read is not None:
        assert (*map(exact, read),) == by_protobuf(without_names(payload))[2:]
    if names := read_names(payload):
        read = read_arguments(payload, names[2])
        if read is not None:
            assert (*names[:2], *map(exact, read)) == by_protobuf(payload)


def attributes(request: object) -> tuple[object, ...]:
    names = ("call_id", "stream", "timeout_micros", "request_id", "payload", "app", "action", "payload_kind")
    return tuple(getattr(request, name) for name in names)


@given(requests)
def test_requests_are_read_as_by_protobuf_or_not_at_all(request: pb.Request) -> None:
    read = read_request(pb.ArbiterFrame(request=request).SerializeToString())
    if read is None:
        zero = not request.call_id or not request.timeout_micros or not request.payload
        assert zero or request.payload_kind < 0 or request.stream or request.metadata or request.HasField("credit")
    else:
        assert attributes(read) == attributes(request)
        assert not request.metadata
        assert not request.HasField("credit")


@given(damaged(requests.map(lambda request: pb.ArbiterFrame(request=request).SerializeToString())))
def test_damaged_requests_are_read_as_by_protobuf_or_not_at_all(frame: bytes) -> None:
    read = read_request(frame)
    if read is not None:
        request = pb.ArbiterFrame.FromString(frame).request
        assert attributes(read) == attributes(request)
        assert not request.metadata
        assert not request.HasField("credit")


@pytest.mark.parametrize("names", [{}, {"app": "apps:App", "action": "act", "payload_kind": 1}], ids=["1", "2"])
def test_the_usual_request_is_read_without_protobuf(names: dict[str, object]) -> None:
    request = pb.Request(call_id=300, timeout_micros=300_000_000, request_id="300", payload=b"x" * 200, **names)
    read = read_request(pb.ArbiterFrame(request=request).SerializeToString())
    assert read is not None
    assert attributes(read) == attributes(request)


@given(requests)
def test_a_frame_with_a_request_is_nothing_but_the_request(request: pb.Request) -> None:
    data = request.SerializeToString()
    assert request_of(pb.ArbiterFrame(request=request).SerializeToString()) == data


@given(damaged(requests.map(lambda request: pb.ArbiterFrame(request=request).SerializeToString())))
def test_a_damaged_frame_holds_the_request_that_protobuf_finds_or_none(frame: bytes) -> None:
    inner = request_of(frame)
    if inner is not None:
        assert frame.endswith(inner)
        with suppress(DecodeError):
            assert pb.Request.FromString(inner) == pb.ArbiterFrame.FromString(frame).request


def deep(levels: int) -> object:
    value: object = None
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, {1: 2}, {3}, 1j, bytearray(b"x"), [[{4}]], deep(MAX_DEPTH + 1)])
def test_what_is_left_to_protobuf(value: object) -> None:
    with pytest.raises(Unusual):
        write_value(value)


def test_the_deepest_value_is_not_unusual() -> None:
    data = write_value(deep(MAX_DEPTH))
    assert read_value(data, 0, len(data)) == deep(MAX_DEPTH)


@given(numbers)
def test_varints(number: int) -> None:
    message = pb.Pong.FromString(b"\x08" + varint(number))
    assert message.nonce == number


@pytest.mark.parametrize("data", [b"\xff" * 9 + b"\x7f", b"\xff" * 100], ids=["over 64 bits", "endless"])
def test_no_number_is_longer_than_64_bits(data: bytes) -> None:
    with pytest.raises(Unusual):
        read_varint(data, 0)


def test_a_malformed_request_is_neither_read_by_hand_nor_by_protobuf() -> None:
    assert read_arguments(b"\xff\xff") is None
    assert read_names(b"\xff\xff") is None
    with pytest.raises(DecodeError):
        ExecuteRequest.FromString(b"\xff\xff")
