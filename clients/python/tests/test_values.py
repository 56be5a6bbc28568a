import sys
from collections import OrderedDict
from enum import IntEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirtyd._proto.dirty.v1.value_pb2 import Value
from dirtyd.values import DTYPES, MAX_DEPTH, decode, encode

text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | text | st.binary()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=30)


def round_trip(value: object) -> object:
    message = Value()
    encode(value, message)
    return decode(Value.FromString(message.SerializeToString()))


def same(left: object, right: object) -> bool:
    """Return True if the two are equal and of equal types all the way down: True is not 1."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return left == right


@given(values)
def test_whatever_goes_in_comes_out(value: object) -> None:
    assert same(round_trip(value), value)


def test_lenient_on_the_way_in() -> None:
    class Color(IntEnum):
        RED = 3

    assert same(round_trip((1, bytearray(b"a"), memoryview(b"b"), Color.RED)), [1, b"a", b"b", 3])
    assert same(round_trip(OrderedDict(a=())), {"a": []})
    assert same(round_trip([np.float32(1.5), np.int16(2), np.bool_(True), np.float64(2.5)]), [1.5, 2, True, 2.5])


def test_nan_and_infinities() -> None:
    nan, inf = round_trip([float("nan"), float("-inf")])
    assert nan != nan
    assert inf == float("-inf")


@pytest.mark.parametrize("dtype", sorted(DTYPES))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 4)])
def test_arrays(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    for sent in (array, np.asfortranarray(array) if shape else array, array.astype(array.dtype.newbyteorder(">"))):
        back = round_trip(sent)
        assert (type(back), back.dtype, back.shape) == (np.ndarray, np.dtype(dtype), shape)
        assert np.array_equal(back, array)
        assert back.flags.writeable


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def cyclic() -> list[object]:
    value: list[object] = []
    value.append(value)
    return value


def test_the_deepest_value_can_be_read() -> None:
    assert round_trip(nested(MAX_DEPTH)) == nested(MAX_DEPTH)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({"rows": [1, 2, 3, {4}]}, TypeError, 'v["rows"][3]: set has no form as a Value; convert it to a list'),
        (object(), TypeError, "v: object has no form as a Value"),
        ([2**63], ValueError, "v[0]: the int does not fit in 64 bits"),
        ([-(2**63) - 1], ValueError, "v[0]: the int does not fit"),
        ({"a": {1: 2}}, TypeError, 'v["a"][1]: keys must be str, this one is int'),
        (["\ud800"], ValueError, "v[0]: the str holds lone surrogates"),
        ({"\ud800": 1}, ValueError, "the key holds lone surrogates"),
        (nested(MAX_DEPTH + 1), ValueError, "nested deeper than 32 levels, or in a cycle"),
        (cyclic(), ValueError, "nested deeper than 32 levels, or in a cycle"),
        ([np.array(["a"])], TypeError, "v[0]: ndarray of dtype str"),
        ([np.array([object()])], TypeError, "dtype object has no form as a Tensor"),
        ([np.ma.array([1, 2], mask=[0, 1])], TypeError, "MaskedArray"),
        (1j, TypeError, "v: complex has no form"),
    ],
)
def test_refusals_name_the_place(value: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        encode(value, Value(), "v")
    assert message in str(caught.value)


def test_malformed_values_are_refused() -> None:
    broken_list, tensors = Value(), []
    broken_list.list_value.values.add()
    for dtype, shape, data in [("float99", [1], b"1234"), ("int8", [3], b"12"), ("int8", [-1, -2], b"12")]:
        tensors.append(Value())
        tensors[-1].tensor_value.dtype = dtype
        tensors[-1].tensor_value.shape.extend(shape)
        tensors[-1].tensor_value.data = data
    for message in (Value(), broken_list, *tensors):
        with pytest.raises(ValueError, match="malformed"):
            decode(message)


def test_a_tensor_without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    message = Value()
    encode(np.zeros(2), message)
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ImportError, match="install numpy"):
        decode(message)
