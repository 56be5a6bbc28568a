"""Python objects to `dirty.v1.Value` and back, without loss.

None, bool, int (64 bits), float, str, bytes, list, dict with str keys and
numpy arrays keep their type. A tuple arrives as a list, a bytearray or
memoryview as bytes, a numpy scalar as bool, int or float, and an instance of a
subclass as its base type.

Anything else is refused with a TypeError or ValueError that names the place
inside the value: `result["rows"][3]: set has no form as a Value`.

numpy is never imported unless a tensor arrives.
"""

import sys
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from dirtyd._proto.dirty.v1.value_pb2 import Tensor, Value

# Decoders of protobuf stop at 100 nested messages, and a map in a map takes
# three of them. With this limit every side can read what any side can send.
MAX_DEPTH = 32

# numpy's names of the element types that a Tensor may have, with their sizes in bytes.
DTYPES = {
    "bool": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8,
    "float16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16,
}  # fmt: skip

_HINTS = {
    "set": "; convert it to a list",
    "frozenset": "; convert it to a list",
    "Decimal": "; convert it to str or float",
    "datetime": "; convert it with isoformat()",
    "date": "; convert it with isoformat()",
    "UUID": "; convert it to str",
    "complex": "; send it as an array of complex128",
    "generator": "; yield from it or convert it to a list",
}


class Unfit(Exception):
    """Carries a refusal up through the containers. Each container adds its step to the path."""

    def __init__(self, error: type[Exception], reason: str) -> None:
        self.error, self.reason, self.steps = error, reason, list[str]()

    def at(self, label: str) -> Exception:
        path = "".join(reversed(self.steps))
        if len(path) > 200:
            path = f"{path[:120]} ... {path[-60:]}"
        return self.error(f"{label}{path}: {self.reason}")


def encode(value: Any, into: Value, label: str = "value") -> None:
    """Write `value` into the message `into`. The path in an error begins with `label`.

    Raises TypeError or ValueError for what has no form as a Value.
    """
    try:
        _encoder(value)(value, into, MAX_DEPTH)
    except Unfit as unfit:
        raise unfit.at(label) from None


def decode(value: Value, depth: int = MAX_DEPTH) -> Any:
    """Return what `value` holds, which may nest so many levels deep.

    Raises ValueError if it is malformed, ImportError for a tensor without numpy.
    """
    kind = value.WhichOneof("kind")
    if kind is None:
        raise ValueError("malformed Value: no kind is set; use null_value for nothing")
    return _DECODERS[kind](value, depth)


def _none(_value: None, into: Value, _depth: int) -> None:
    into.null_value = 0  # type: ignore[assignment]


def _bool(value: Any, into: Value, _depth: int) -> None:
    into.bool_value = bool(value)


def _int(value: Any, into: Value, _depth: int) -> None:
    try:
        into.int_value = int(value)
    except ValueError:
        raise Unfit(ValueError, "the int does not fit in 64 bits; convert it to str or float") from None


def _float(value: Any, into: Value, _depth: int) -> None:
    into.double_value = float(value)


def _str(value: str, into: Value, _depth: int) -> None:
    try:
        into.string_value = value
    except ValueError:
        raise Unfit(ValueError, "the str holds lone surrogates; send bytes instead") from None


def _bytes(value: Any, into: Value, _depth: int) -> None:
    into.bytes_value = bytes(value)


def _list(value: Any, into: Value, depth: int) -> None:
    _check_depth(depth)
    into.list_value.SetInParent()
    add, find, index = into.list_value.values.add, _ENCODERS.get, 0
    try:
        for index, item in enumerate(value):  # noqa: B007, the path in an error needs it
            (find(type(item)) or _encoder(item))(item, add(), depth - 1)
    except Unfit as unfit:
        unfit.steps.append(f"[{index}]")
        raise


def _map(value: Mapping[Any, Any], into: Value, depth: int) -> None:
    _check_depth(depth)
    into.map_value.SetInParent()
    entries, find, key = into.map_value.entries, _ENCODERS.get, None
    try:
        for key, item in value.items():
            if not isinstance(key, str):
                raise Unfit(TypeError, f"keys must be str, this one is {type(key).__name__}")
            try:
                entry = entries[key]
            except ValueError:
                raise Unfit(ValueError, "the key holds lone surrogates") from None
            (find(type(item)) or _encoder(item))(item, entry, depth - 1)
    except Unfit as unfit:
        unfit.steps.append(f'["{key}"]' if isinstance(key, str) else f"[{key!r}]")
        raise


def _check_depth(depth: int) -> None:
    if not depth:
        raise Unfit(ValueError, f"nested deeper than {MAX_DEPTH} levels, or in a cycle")


def _array(value: Any, into: Value, _depth: int) -> None:
    name = value.dtype.name
    if name not in DTYPES or hasattr(value, "mask"):
        raise Unfit(TypeError, f"{type(value).__name__} of dtype {name} has no form as a Tensor")
    tensor = into.tensor_value
    tensor.dtype = name
    tensor.shape.extend(value.shape)
    tensor.data = value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes()


_Encoder = Callable[[Any, Value, int], None]

_ENCODERS: dict[type, _Encoder] = {
    type(None): _none,
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    list: _list,
    tuple: _list,
    dict: _map,
}


def _encoder(value: Any) -> _Encoder:
    """Return the encoder of an object: by its type, as an object of numpy, or by a base type."""
    exact = _ENCODERS.get(type(value))
    if exact:
        return exact
    if numpy := sys.modules.get("numpy"):
        numpy_kinds = (
            (numpy.ndarray, _array),
            (numpy.bool_, _bool),
            (numpy.integer, _int),
            (numpy.floating, _float),
        )
        for kind, encoder in numpy_kinds:
            if isinstance(value, kind):
                return encoder
    for base in type(value).__mro__:
        if base in _ENCODERS:
            return _ENCODERS[base]
    name = type(value).__name__
    raise Unfit(TypeError, f"{name} has no form as a Value{_HINTS.get(name, '')}")


def _decode_list(value: Value, depth: int) -> list[Any]:
    _check_decoded(depth)
    return [decode(item, depth - 1) for item in value.list_value.values]


def _decode_map(value: Value, depth: int) -> dict[str, Any]:
    _check_decoded(depth)
    return {key: decode(item, depth - 1) for key, item in value.map_value.entries.items()}


def _check_decoded(depth: int) -> None:
    if not depth:
        raise ValueError(f"malformed Value: nested deeper than {MAX_DEPTH} levels")


def _decode_tensor(value: Value, _depth: int) -> Any:
    tensor: Tensor = value.tensor_value
    size, shape = DTYPES.get(tensor.dtype), tuple(tensor.shape)
    if size is None:
        raise ValueError(f"malformed Tensor: unknown dtype {tensor.dtype!r}")
    if min(shape, default=0) < 0 or prod(shape) * size != len(tensor.data):
        raise ValueError(f"malformed Tensor: {len(tensor.data)} bytes for shape {shape} of {tensor.dtype}")
    try:
        import numpy
    except ImportError as error:
        raise ImportError("a tensor arrived, and numpy is not installed here; install numpy") from error
    # The copy makes the array writable; the bytes of the message are not.
    little = numpy.ndarray(shape, numpy.dtype(tensor.dtype).newbyteorder("<"), buffer=tensor.data)
    return little.astype(tensor.dtype, copy=True)


_DECODERS: dict[str, Callable[[Value, int], Any]] = {
    "null_value": lambda value, _: None,
    "bool_value": lambda value, _: value.bool_value,
    "int_value": lambda value, _: value.int_value,
    "double_value": lambda value, _: value.double_value,
    "string_value": lambda value, _: value.string_value,
    "bytes_value": lambda value, _: value.bytes_value,
    "list_value": _decode_list,
    "map_value": _decode_map,
    "tensor_value": _decode_tensor,
}
