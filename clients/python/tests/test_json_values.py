"""Values as JSON: the table of docs/worker-protocol.md, both ways, and what has no place in it."""

import json
import math
import subprocess
import sys
import threading
from collections import OrderedDict, namedtuple
from enum import IntEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirtyd._proto.dirty.v1.value_pb2 import Value
from dirtyd.values import DTYPES, MAX_DEPTH, decode, encode
from dirtyd.worker.json_values import read_request, write

LARGEST, SMALLEST = 2**63 - 1, -(2**63)


def read(text: str | bytes) -> object:
    """Return the one value that a JSON text holds."""
    data = text.encode() if isinstance(text, str) else text
    args, kwargs = read_request(b"[" + data + b"]")
    assert kwargs == {}
    (value,) = args
    return value


def written(value: object) -> str:
    return write(value, "result").decode()


def by_value(value: object) -> object:
    """Return what arrives of a value that travels as a Value."""
    message = Value()
    encode(value, message)
    return decode(message)


def exact(value: object) -> object:
    """Return a value that compares with ==, in which True is not 1, -0.0 is not 0.0 and one NaN equals another."""
    if isinstance(value, dict):
        return dict, {key: exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return list, [exact(item) for item in value]
    if isinstance(value, np.ndarray):
        return np.ndarray, value.dtype, value.shape, exact(value.ravel().tolist()) if value.size else None
    if isinstance(value, complex):
        return complex, exact(value.real), exact(value.imag)
    return type(value), repr(value)


def nested(depth: int, inner: str = "") -> str:
    return "[" * depth + inner + "]" * depth


def lists(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def cyclic() -> list[object]:
    value: list[object] = []
    value += [value, value]
    return value


TABLE = [
    (None, "null"),
    (True, "true"),
    (False, "false"),
    ("", '""'),
    ('ü\n"\\\x00', '"ü\\n\\"\\\\\\u0000"'),
    ("😀", '"😀"'),
    (0, "0"),
    (LARGEST, str(LARGEST)),
    (SMALLEST, str(SMALLEST)),
    (1.0, "1.0"),
    (-0.0, "-0.0"),
    (0.1, "0.1"),
    (1e300, "1e+300"),
    (5e-324, "5e-324"),
    (0.00012345678901234567, "0.00012345678901234567"),
    (math.nan, '{"$double":"NaN"}'),
    (math.inf, '{"$double":"inf"}'),
    (-math.inf, '{"$double":"-inf"}'),
    (b"", '{"$bytes":""}'),
    (b"\x00\xff", '{"$bytes":"AP8="}'),
    ([], "[]"),
    ([1, [2.5, b"a"]], '[1,[2.5,{"$bytes":"YQ=="}]]'),
    ({}, "{}"),
    ({"b": 1, "a": {"": None}}, '{"b":1,"a":{"":null}}'),
    ({"$any": "AP8="}, '{"$any":"AP8="}'),
    ({"$": {"$bytes ": 1}}, '{"$":{"$bytes ":1}}'),
    ({"$bytes": "AP8=", "b": 1}, '{"$bytes":"AP8=","b":1}'),
    ({"$double": "NaN", "$tensor": 1}, '{"$double":"NaN","$tensor":1}'),
    ({"args": [math.nan, {"b": b"\xff", "c": 1}]}, '{"args":[{"$double":"NaN"},{"b":{"$bytes":"/w=="},"c":1}]}'),
    (np.float32([0.5, 1]), '{"$tensor":{"dtype":"float32","shape":[2],"values":[0.5,1.0]}}'),
    (np.array(-7), '{"$tensor":{"dtype":"int64","shape":[],"values":-7}}'),
    (np.array([[True], [False]]), '{"$tensor":{"dtype":"bool","shape":[2,1],"values":[[true],[false]]}}'),
    (np.zeros((2, 0, 3), "int8"), '{"$tensor":{"dtype":"int8","shape":[2,0,3],"values":[[],[]]}}'),
    (np.array([2**64 - 1], "uint64"), '{"$tensor":{"dtype":"uint64","shape":[1],"values":[18446744073709551615]}}'),
    (np.array([1 - 2j], "complex64"), '{"$tensor":{"dtype":"complex64","shape":[1],"values":[[1.0,-2.0]]}}'),
    (
        np.array([math.nan, -math.inf]),
        '{"$tensor":{"dtype":"float64","shape":[2],"values":[{"$double":"NaN"},{"$double":"-inf"}]}}',
    ),
]


@pytest.mark.parametrize(("value", "text"), TABLE, ids=[text for _, text in TABLE])
def test_the_table_both_ways(value: object, text: str) -> None:
    assert written(value) == text
    assert exact(read(text)) == exact(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e5", 1e5),
        ("1E5", 1e5),
        ("-0", 0),
        ("1e-400", 0.0),
        ('"\\ud83d\\ude00\\\\ud800"', "😀\\ud800"),
        ('{"a":1,"a":2}', {"a": 2}),
        ('{"\\u0024bytes":"AP8="}', b"\x00\xff"),
        ('{"$bytes":1,"$bytes":"AP8="}', b"\x00\xff"),
        ('{"$tensor":{"values":[1,2.5],"dtype":"float16","shape":[2]}}', np.float16([1, 2.5])),
        ('{"$tensor":{"dtype":"float32","shape":[1],"values":[0.1]}}', np.float32([0.1])),
        ('{"$tensor":{"dtype":"complex128","shape":[],"values":[1,{"$double":"inf"}]}}', np.array(complex("1+infj"))),
        (f'{{"a":{nested(31)},"n":12345678901234567}}', {"a": lists(31), "n": 12345678901234567}),
        (json.dumps({"deep": '[{"' * 50}), {"deep": '[{"' * 50}),
        ("[[],[],{}]", [[], [], {}]),
    ],
)  # fmt: skip
def test_what_is_read_although_nobody_writes_it_so(text: str, value: object) -> None:
    assert exact(read(text)) == exact(value)


@pytest.mark.parametrize("dtype", sorted(DTYPES))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 4)])
def test_arrays(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    for sent in (array, np.asfortranarray(array) if shape else array, array.astype(array.dtype.newbyteorder(">"))):
        back = read(written([sent]))[0]
        assert exact(back) == exact(array)
        assert back.dtype == np.dtype(dtype)
        assert back.flags.writeable


class Color(IntEnum):
    RED = 3


@pytest.mark.parametrize(
    "value",
    [
        (1, ("a",)),
        [bytearray(b"a"), memoryview(b"b")],
        [Color.RED, np.float32(1.5), np.int16(2), np.bool_(True), np.float64(2.5), np.float16("nan"), np.str_("x")],
        OrderedDict(b=(), a=namedtuple("Point", "x")(1)),
        [type("Text", (str,), {})("x"), type("Float", (float,), {})("inf"), type("Data", (bytes,), {})(b"x")],
        bytearray(b"alone"),
        Color.RED,
        np.float64("nan"),
        {"a": [math.inf], "b": {"c": 10**18, "d": 10**18 * 5}},
    ],
    ids=repr,
)
def test_what_has_a_form_as_a_value_has_one_here(value: object) -> None:
    assert exact(read(written(value))) == exact(by_value(value))


def test_the_order_of_keys_stays() -> None:
    for value in ({"z": 1, "a": 2}, OrderedDict(z=math.nan, a=2, m=3)):
        assert list(json.loads(written(value))) == list(value)


def test_a_text_is_one_line() -> None:
    assert "\n" not in written({"a\nb": ["\r\n", b"\n" * 100, np.zeros((2, 2))]})


NO_FORM = [
    {"rows": [1, 2, 3, {4}]}, object(), [2**63], [-(2**63) - 1], 10**5000, {"a": {1: 2}}, {None: 1}, {True: 1},
    {1.5: [math.nan]}, ["\ud800"], {"\ud800": 1}, ["\ud800", math.nan], [lists(MAX_DEPTH)], cyclic(), 1j,
    [np.array(["a"])], np.ma.array([1, 2], mask=[0, 1]), [np.uint64(2**63)], {"a": b"", "b": 2**70},
]  # fmt: skip


@pytest.mark.parametrize("value", NO_FORM, ids=range(len(NO_FORM)))
def test_refusals_are_those_of_a_value(value: object) -> None:
    with pytest.raises((TypeError, ValueError)) as as_value:
        encode(value, Value(), "chunk")
    with pytest.raises((TypeError, ValueError)) as as_json:
        write(value, "chunk")
    assert (type(as_json.value), str(as_json.value)) == (type(as_value.value), str(as_value.value))


@pytest.mark.parametrize("key", ["$bytes", "$double", "$tensor"])
@pytest.mark.parametrize("inner", ["AP8=", "NaN", 1, {"x": math.nan}])
def test_a_map_that_would_be_read_as_something_else_is_refused(key: str, inner: object) -> None:
    with pytest.raises(ValueError, match=rf'result\["a"\]\[1\]: a map whose only key is "\{key}" has no form in JSON'):
        written({"a": [0, {key: inner}]})


def test_a_tensor_of_very_many_empty_lists_is_refused() -> None:
    assert read(written(np.zeros((1000, 0, 10**6)))).shape == (1000, 0, 10**6)
    with pytest.raises(ValueError, match="empty lists"):
        written(np.zeros((10**6, 10**6, 0)))


@pytest.mark.parametrize(
    ("text", "args", "kwargs"),
    [
        ("", [], {}),
        (" \t\r\n ", [], {}),
        ("[]", [], {}),
        ('\n [1, "a"]\r\n', [1, "a"], {}),
        ("{}", [], {}),
        ('{"args":[1]}', [1], {}),
        ('{"kwargs":{"x":{"$bytes":"AP8="},"self":2}}', [], {"x": b"\x00\xff", "self": 2}),
        ('{"kwargs":{"x":1},"args":[null]}', [None], {"x": 1}),
        ('{"kwargs":{"$other":1}}', [], {"$other": 1}),
        ('{"args":[1],"args":[2]}', [2], {}),
    ],
)
@pytest.mark.parametrize("kind", [bytes, lambda data: memoryview(bytearray(data))], ids=["bytes", "view"])
def test_requests(text: str, args: list[object], kwargs: dict[str, object], kind) -> None:
    assert read_request(kind(text.encode())) == (args, kwargs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1", "neither a list nor an object"),
        ("null", "neither a list nor an object"),
        ('{"$bytes":"AP8="}', "neither a list nor an object"),
        ('{"arg":[]}', 'no key but "args" and "kwargs", this one has "arg"'),
        ('{"args":[],"kwargs":{},"app":"x"}', 'no key but "args" and "kwargs", this one has "app"'),
        ('{"args":{}}', "args is not a list"),
        ('{"args":null}', "args is not a list"),
        ('{"kwargs":[]}', "kwargs is not an object"),
        ('{"kwargs":null}', "kwargs is not an object"),
        ('{"kwargs":{"$double":"NaN"}}', "kwargs is not an object"),
        ("[1", "not JSON"),
        ("[1] 2", "not JSON: Extra data: line 1 column 5"),
        ("\n\n[1,]", ": line 3 column "),
        ("[01]", "not JSON"),
        ("[1.]", "not JSON"),
        ("['a']", "not JSON"),
        ('["\t"]', "not JSON"),
        ("\ufeff[]", "not JSON"),
        ("\u00a0", "not JSON"),
        ("[NaN]", "NaN"),
        ("[-Infinity]", "-Infinity"),
        ('{"args":[{"a":Infinity}]}', "Infinity"),
        (b'["\xff"]', "not UTF-8"),
        (b'["\xed\xa0\x80"]', "not UTF-8"),
        ("[9223372036854775808]", "9223372036854775808 does not fit in 64 bits"),
        ("[-9223372036854775809]", "-9223372036854775809 does not fit in 64 bits"),
        ('{"kwargs":{"a":[{"b":18446744073709551615}]}}', "18446744073709551615 does not fit in 64 bits"),
        (f"[{'9' * 10_000}]", "does not fit in 64 bits"),
        ("[1e309]", "1e309 does not fit in a double"),
        ("[-1E+400]", "does not fit in a double"),
        (f"[{'9' * 400}.0]", "does not fit in a double"),
        ('["\\ud800"]', "lone surrogate"),
        ('["\\uDC00\\ud83d"]', "lone surrogate"),
        ('["\\uD83D"]', "lone surrogate"),
        ('{"kwargs":{"\\udfff":1}}', "lone surrogate"),
        ('[[{"a":{"\\ud800":1}}]]', "lone surrogate"),
        (f"[{nested(MAX_DEPTH + 1)}]", "nested deeper than 32 levels"),
        (f'{{"kwargs":{{"a":{nested(MAX_DEPTH, "{}")}}}}}', "nested deeper than 32 levels"),
        (nested(100_000), "nested deeper than 32 levels"),
        ("[" * 100_000, "nested deeper than 32 levels"),
        ('[{"$bytes":"AP8"}]', "malformed $bytes"),
        ('[{"$bytes":"AP9="}]', "malformed $bytes"),
        ('[{"$bytes":"A_8="}]', "malformed $bytes"),
        ('[{"$bytes":"AP8= "}]', "malformed $bytes"),
        ('[{"$bytes":"="}]', "malformed $bytes"),
        ('[{"$bytes":"ü"}]', "malformed $bytes"),
        ('[{"$bytes":1}]', "malformed $bytes"),
        ('[{"$bytes":{"$bytes":"AP8="}}]', "malformed $bytes"),
        ('[{"$double":"nan"}]', "malformed $double"),
        ('[{"$double":"1.5"}]', "malformed $double"),
        ('[{"$double":1.5}]', "malformed $double"),
        ('[{"$double":[]}]', "malformed $double"),
    ],
)
def test_malformed_requests(text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared below
        read_request(text.encode() if isinstance(text, str) else text)
    assert message in str(caught.value)


def test_the_deepest_value_goes_both_ways() -> None:
    deepest = lists(MAX_DEPTH)
    assert read(nested(MAX_DEPTH)) == deepest
    assert written(deepest) == nested(MAX_DEPTH)
    assert read_request(f'{{"kwargs":{{"a":{nested(MAX_DEPTH)}}}}}'.encode()) == ([], {"a": deepest})
    assert read(written([[math.nan]] * 40)) is not None


TENSOR = {"dtype": "float32", "shape": [2], "values": [0.5, 1.0]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "float99"}, "unknown dtype"),
        ({"dtype": "object"}, "unknown dtype"),
        ({"dtype": 5}, "unknown dtype"),
        ({"dtype": []}, "unknown dtype"),
        ({"shape": 2}, "shape"),
        ({"shape": [2.0]}, "shape"),
        ({"shape": [True]}, "shape"),
        ({"shape": [-1]}, "shape"),
        ({"shape": [2**63]}, "shape"),
        ({"shape": [3]}, "values do not fit the shape"),
        ({"shape": []}, "is no float32"),
        ({"shape": [2, 1]}, "values do not fit the shape"),
        ({"shape": [1] * 70, "values": 1}, "values do not fit the shape"),
        ({"values": 1}, "values do not fit the shape"),
        ({"values": None}, "values do not fit the shape"),
        ({"values": [0.5]}, "values do not fit the shape"),
        ({"values": [0.5, [1]]}, "is no float32"),
        ({"values": [0.5, "1"]}, "is no float32"),
        ({"values": [0.5, None]}, "is no float32"),
        ({"values": [0.5, True]}, "is no float32"),
        ({"values": [0.5, 1e300]}, "is no float32"),
        ({"values": [0.5, {}]}, "is no float32"),
        ({"dtype": "float16", "values": [70000, 0]}, "is no float16"),
        ({"dtype": "int8", "values": [1, 128]}, "is no int8"),
        ({"dtype": "int8", "values": [1, 1.0]}, "is no int8"),
        ({"dtype": "int8", "values": [1, True]}, "is no int8"),
        ({"dtype": "uint64", "values": [1, -1]}, "is no uint64"),
        ({"dtype": "int64", "values": [1, 2**63]}, "is no int64"),
        ({"dtype": "bool", "values": [True, 1]}, "is no bool"),
        ({"dtype": "complex64"}, "pair"),
        ({"dtype": "complex64", "values": [[1, 2], [1, 2, 3]]}, "pair"),
        ({"dtype": "complex64", "values": [[1, 2], [1, "2"]]}, "is no complex64"),
        ({"device": "cpu"}, "dtype, shape and values"),
    ],
    ids=repr,
)
def test_malformed_tensors(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match="malformed") as caught:
        read(json.dumps({"$tensor": TENSOR | change}))
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ['{"$tensor":1}', '{"$tensor":[]}', '{"$tensor":{"dtype":"int8","shape":[0]}}'])
def test_incomplete_tensors(text: str) -> None:
    with pytest.raises(ValueError, match="malformed"):
        read(text)


def test_tensors_nest_beyond_the_limit_of_lists() -> None:
    array = np.zeros((1,) * 40, "uint8")
    assert read(written(array)).shape == array.shape


def test_a_tensor_without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ImportError, match="install numpy"):
        read('{"$tensor":{"dtype":"int8","shape":[1],"values":[1]}}')


def test_an_app_that_has_raised_the_limit_of_recursion_is_not_killed_by_a_deep_request() -> None:
    program = """
import sys
from dirtyd.worker.json_values import read_request
sys.setrecursionlimit(10**6)
deep = (b"[" * 1_000_000, b"[" * 1_000_000 + b"]" * 1_000_000, b'{"args":[' + b'["]",' * 500_000)
for text in (*deep, b"[" + b"[]," * 9000):
    try:
        read_request(text)
    except ValueError as error:
        print(error)
many = b'["\\\\"[]","' + b"[" * 9000 + b'"' + b',{"a":[1]}' * 9000 + b"]"
assert len(read_request(many)[0]) == 9002
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    *deep, unfinished = done.stdout.splitlines()
    assert deep == ["malformed JSON: nested deeper than 32 levels"] * 3
    assert unfinished.startswith("the request is not JSON: ")


def test_threads_that_write_while_the_value_changes_get_an_exception_or_a_text() -> None:
    value: dict[str, int] = {}
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            value["a"] = 1
            value.pop("a")

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(2000):
            try:
                assert written([value]) in ("[{}]", '[{"a":1}]')
            except RuntimeError:
                continue
    finally:
        stop.set()
        thread.join()


text = st.text(st.characters(exclude_categories=["Cs"]))
keys = text | st.sampled_from(["$bytes", "$double", "$tensor", "$other"])
scalars = st.none() | st.booleans() | st.integers(SMALLEST, LARGEST) | st.floats() | text | st.binary(max_size=300)
arrays = st.builds(
    lambda dtype, data: np.frombuffer(data[: len(data) // 16 * 16], "bool" if dtype == "bool" else dtype),
    st.sampled_from(sorted(DTYPES.keys() - {"bool"})),
    st.binary(max_size=64),
)
values = st.recursive(scalars | arrays, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=30)


def is_taken_for_another(value: object) -> bool:
    """Return True if a value holds a map that JSON reads as bytes, double or tensor."""
    if isinstance(value, dict):
        special = len(value) == 1 and not value.keys().isdisjoint(["$bytes", "$double", "$tensor"])
        return special or any(map(is_taken_for_another, value.values()))
    return isinstance(value, list) and any(map(is_taken_for_another, value))


@given(values)
def test_a_value_comes_back_as_it_was_and_as_it_travels_as_a_value(value: object) -> None:
    if is_taken_for_another(value):
        with pytest.raises(ValueError, match="whose only key"):
            write(value, "result")
        return
    back = read(write(value, "result"))
    assert exact(back) == exact(value) == exact(by_value(value))


@given(values.filter(lambda value: not is_taken_for_another(value)), st.data())
def test_damaged_requests_are_read_or_refused(value: object, data: st.DataObject) -> None:
    damaged = bytearray(b'{"args":[' + write(value, "result") + b'],"kwargs":{}}')
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    try:
        args, kwargs = read_request(bytes(damaged))
    except ValueError:
        return
    for item in (*args, *kwargs.items()):
        encode(item, Value())
