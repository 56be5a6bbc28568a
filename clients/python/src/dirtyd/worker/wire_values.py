"""Values read straight from their bytes and written straight to them, where that is simple.

The rest is left to `dirtyd.values`. Protobuf makes an object for each Value, each
list and each map, and Python asks for every field by name, which was half of the
cost of a small call. These functions know only the shape that encoders really
write: one kind in each Value, a key before its value, nothing unknown. If they
meet anything else, well-formed or not, they raise Unusual, and their caller asks
protobuf, which also words the errors. So odd input can make them slow, but never
wrong; tests/test_wire.py compares the two.
"""

import struct
from collections.abc import Callable
from typing import Any

from dirtyd.values import MAX_DEPTH

# The tags of the fields of dirty.v1.Value. One of them is the first byte of a Value.
NULL, BOOL, INT, DOUBLE, STRING, BYTES, LIST, MAP = b"\x08\x10\x18\x21\x2a\x32\x3a\x42"
# The tags of ListValue.values and MapValue.entries, and of key and value in the entry of a map.
ITEM, KEY, VALUE = b"\x0a\x0a\x12"

_DOUBLE = struct.Struct("<d")
_PLAIN = (STRING, BYTES)
_SHORT = tuple(bytes((number,)) for number in range(0x80))

Data = bytes | memoryview


class Unusual(Exception):
    """The input is not what these functions know. It may be well-formed all the same."""


def varint(number: int) -> bytes:
    """Return a number below 2**64 as protobuf encodes it."""
    if number < 0x80:
        return _SHORT[number]
    if number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data: Data, at: int) -> tuple[int, int]:
    """Return the number at `at`, and where it ends. Raises Unusual, or IndexError if the number does not end."""
    number = data[at]
    if number < 0x80:
        return number, at + 1
    # Each continuation bit is added with its byte and then subtracted, which takes half the steps of masking it out.
    byte = data[at + 1]
    number += (byte << 7) - 0x80
    if byte < 0x80:
        return number, at + 2
    byte = data[at + 2]
    number += (byte << 14) - 0x4000
    if byte < 0x80:
        return number, at + 3
    at += 3
    shift = 21
    while True:
        byte = data[at]
        at += 1
        number += (byte << shift) - (1 << shift)
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:  # No valid number is longer. Without this check, megabytes of 0xff would be one number.
            raise Unusual
    if number >> 64:
        raise Unusual
    return number, at


def read_value(data: Data, at: int, end: int, depth: int = MAX_DEPTH) -> Any:
    """Return the Value between `at` and `end`. Raises Unusual, IndexError or UnicodeDecodeError."""
    kind = data[at]
    if kind in _PLAIN:
        size, start = data[at + 1], at + 2
        if size > 0x7F:
            size, start = read_varint(data, at + 1)
        if start + size != end:
            raise Unusual
        return str(data[start:end], "utf-8") if kind == STRING else bytes(data[start:end])
    if kind == INT:
        number, stop = read_varint(data, at + 1)
        if stop != end:
            raise Unusual
        return number if number < 1 << 63 else number - (1 << 64)
    if kind == DOUBLE:
        if at + 9 != end:
            raise Unusual
        return _DOUBLE.unpack(data[at + 1 : end])[0]
    if kind in (LIST, MAP):
        size, start = read_varint(data, at + 1)
        if start + size != end or not depth:
            raise Unusual
        return (_read_list if kind == LIST else _read_map)(data, start, end, depth - 1)
    if at + 2 != end:
        raise Unusual
    content = data[at + 1]
    if kind == BOOL and content < 2:
        return content == 1
    if kind == NULL and content == 0:
        return None
    raise Unusual


def _read_list(data: Data, at: int, end: int, depth: int) -> list[Any]:
    items: list[Any] = []
    while at < end:
        if data[at] != ITEM:
            raise Unusual
        size, start = read_varint(data, at + 1)
        at = start + size
        if at > end:
            raise Unusual
        items.append(read_value(data, start, at, depth))
    return items


def _read_map(data: Data, at: int, end: int, depth: int) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    while at < end:
        if data[at] != ITEM:
            raise Unusual
        size, start = read_varint(data, at + 1)
        at = start + size
        if at > end:
            raise Unusual
        read_entry(data, start, at, entries, depth)
    return entries


def read_entry(data: Data, at: int, end: int, into: dict[str, Any], depth: int = MAX_DEPTH) -> None:
    """Add the entry of a map between `at` and `end` to the dict `into`. Raises what `read_value` raises."""
    if data[at] != KEY:
        raise Unusual
    size, start = read_varint(data, at + 1)
    at = start + size
    if at >= end or data[at] != VALUE:
        raise Unusual
    key = str(data[start:at], "utf-8")
    size, start = read_varint(data, at + 1)
    if start + size != end:
        raise Unusual
    into[key] = read_value(data, start, end, depth)


def write_value(value: Any, depth: int = MAX_DEPTH) -> bytes:
    """Return `value` encoded as a Value. Raises Unusual or UnicodeEncodeError."""
    write = _WRITERS.get(type(value))
    if write is None:
        raise Unusual
    return write(value, depth)


def _write_int(value: int, _depth: int) -> bytes:
    if 0 <= value < 0x80:
        return b"\x18" + _SHORT[value]
    if not -(1 << 63) <= value < 1 << 63:
        raise Unusual
    return b"\x18" + varint(value & 0xFFFF_FFFF_FFFF_FFFF)


def _write_str(value: str, _depth: int) -> bytes:
    data = value.encode()
    return b"\x2a" + varint(len(data)) + data


def _write_list(value: list[Any], depth: int) -> bytes:
    if not depth:
        raise Unusual
    parts: list[bytes] = []
    for item in value:
        data = write_value(item, depth - 1)
        parts += (b"\x0a", varint(len(data)), data)
    data = b"".join(parts)
    return b"\x3a" + varint(len(data)) + data


def _write_map(value: dict[Any, Any], depth: int) -> bytes:
    if not depth:
        raise Unusual
    parts: list[bytes] = []
    for key, item in value.items():
        if type(key) is not str:
            raise Unusual
        name, data = key.encode(), write_value(item, depth - 1)
        entry = b"\x0a" + varint(len(name)) + name + b"\x12" + varint(len(data)) + data
        parts += (b"\x0a", varint(len(entry)), entry)
    data = b"".join(parts)
    return b"\x42" + varint(len(data)) + data


_WRITERS: dict[type, Callable[[Any, int], bytes]] = {
    type(None): lambda value, _depth: b"\x08\x00",
    bool: lambda value, _depth: b"\x10\x01" if value else b"\x10\x00",
    int: _write_int,
    float: lambda value, _depth: b"\x21" + _DOUBLE.pack(value),
    str: _write_str,
    bytes: lambda value, _depth: b"\x32" + varint(len(value)) + value,
    list: _write_list,
    tuple: _write_list,
    dict: _write_map,
}
