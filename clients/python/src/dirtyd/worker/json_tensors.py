"""Tensors as JSON, `{"dtype": "float32", "shape": [2], "values": [0.5, 1.0]}`, and doubles that are not finite.

`values` is nested like the shape; a complex number is a pair. Both directions go
through the bytes of a `dirty.v1.Tensor`, so that only `dirtyd.values` knows numpy.
"""

import struct
from itertools import chain
from math import isfinite, prod
from typing import Any

from dirtyd._proto.dirty.v1.value_pb2 import Tensor, Value
from dirtyd.values import DTYPES, decode

#: Text of the doubles that JSON has no number for.
NOT_FINITE = {"NaN": float("nan"), "inf": float("inf"), "-inf": float("-inf")}

# Few bytes can state a shape with a great many empty lists.
_MOST_EMPTY_LISTS = 1 << 16
# The letters of `struct` for the elements; a complex number has two of them.
_LETTERS = {
    "bool": "?", "int8": "b", "int16": "h", "int32": "i", "int64": "q", "uint8": "B", "uint16": "H", "uint32": "I",
    "uint64": "Q", "float16": "e", "float32": "f", "float64": "d", "complex64": "f", "complex128": "d",
}  # fmt: skip
_KEYS = {"dtype", "shape", "values"}
_BOOL, _INT, _FLOAT = frozenset((bool,)), frozenset((int,)), frozenset((int, float))


def double_form(value: float) -> Any:
    """Return a double as what json can write."""
    if isfinite(value):
        return value
    return {"$double": "NaN" if value != value else "inf" if value > 0 else "-inf"}


def tensor_form(tensor: Tensor) -> Any:
    """Return a well-formed tensor as what json can write. Raises ValueError if it has too many empty lists."""
    dtype, shape = tensor.dtype, list(tensor.shape)
    letter, pairs = _LETTERS[dtype], dtype.startswith("complex")
    if 0 in shape and prod(shape[: shape.index(0)]) > _MOST_EMPTY_LISTS:
        raise ValueError(f"a tensor of shape {tuple(shape)} has too many empty lists for JSON")
    count = len(tensor.data) // struct.calcsize(letter)
    values: list[Any] = list(struct.unpack(f"<{count}{letter}", tensor.data))
    if letter in "efd" and not all(map(isfinite, values)):
        values = [double_form(value) for value in values]
    sizes = [*shape, 2] if pairs else shape
    for axis in range(len(sizes) - 1, -1, -1):
        size = sizes[axis]
        values = [values[i * size : (i + 1) * size] for i in range(prod(sizes[:axis]))]
    return {"dtype": dtype, "shape": shape, "values": values[0]}


def read_tensor(content: Any) -> Any:
    """Return the array that `content` describes. Raises ValueError, or ImportError without numpy."""
    if type(content) is not dict or content.keys() != _KEYS:
        raise ValueError("malformed $tensor: it is an object of dtype, shape and values")
    dtype, shape = content["dtype"], content["shape"]
    if type(dtype) is not str or dtype not in DTYPES:
        raise ValueError(f"malformed $tensor: unknown dtype {dtype!r}")
    if type(shape) is not list or not all(type(size) is int and 0 <= size < 1 << 63 for size in shape):
        raise ValueError("malformed $tensor: shape is a list of counts")
    data = _packed(dtype, _flat(dtype, shape, content["values"]))
    return decode(Value(tensor_value=Tensor(dtype=dtype, shape=shape, data=data)))


def _flat(dtype: str, shape: list[int], values: Any) -> list[Any]:
    level = [values]
    for size in shape:
        if not all(type(items) is list and len(items) == size for items in level):
            raise ValueError(f"malformed $tensor: the values do not fit the shape {tuple(shape)}")
        level = list(chain.from_iterable(level))
    if dtype.startswith("complex"):
        if not all(type(pair) is list and len(pair) == 2 for pair in level):
            raise ValueError(f"malformed $tensor: a {dtype} is a pair of numbers")
        level = list(chain.from_iterable(level))
    return level


def _packed(dtype: str, values: list[Any]) -> bytes:
    letter = _LETTERS[dtype]
    allowed = _BOOL if letter == "?" else _FLOAT if letter in "efd" else _INT
    if allowed.issuperset(map(type, values)):
        try:
            return struct.pack(f"<{len(values)}{letter}", *values)
        except (struct.error, OverflowError):
            pass
    raise ValueError(f"malformed $tensor: a value is no {dtype}")
