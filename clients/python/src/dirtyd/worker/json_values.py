"""Arguments and values as JSON, by the table "Payloads of JSON" of docs/worker-protocol.md.

The work is that of the json module, which is written in C and knows nothing of
most rules of the table: it reads integers of any size and writes NaN and keys
that are no strings. A look at all of a text or value that costs little says
whether one of those rules can matter. If so, hooks or a second look find out,
and what is to be written goes through `dirtyd.values`, which also words the
errors.
"""

import re
import sys
from binascii import a2b_base64, b2a_base64
from json import JSONDecodeError, JSONDecoder, JSONEncoder
from math import isfinite
from typing import Any, NoReturn

from dirtyd._proto.dirty.v1.value_pb2 import Value
from dirtyd.values import MAX_DEPTH, Unfit, encode
from dirtyd.worker.json_tensors import NOT_FINITE, double_form, read_tensor, tensor_form
from dirtyd.worker.wire_values import Data

#: The only key of an object that is no map.
SPECIAL = frozenset(("$bytes", "$double", "$tensor"))

_SPACE = " \t\n\r"
_PARTS = frozenset(("args", "kwargs"))
_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1
_TOO_DEEP = f"malformed JSON: nested deeper than {MAX_DEPTH} levels"

# In the marks of a text each digit is a 0, both brackets that open are one, so are e and E, and no plus is left.
_MARKS = bytes.maketrans(b"123456789{E", b"000000000[e")
# An integer without the first fits in 64 bits, a number with neither in a double.
_MANY_DIGITS, _LARGE_EXPONENT = "0" * 19, "0e000"
# No integer of a tensor has more characters.
_LONGEST_INT = 20

# The scanner of json takes this depth even where an app has raised Python's own limit.
_SAFE_DEPTH = 5000
# The lists of a tensor nest too.
_ROUNDS = MAX_DEPTH + 70
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")

# What json writes as the table says, whatever the value, but for the marks; bytes with the help of `_bytes_form`.
_SCALARS = frozenset((type(None), bool, int, float, str, bytes))
_AS_THEY_ARE = _SCALARS - {float, bytes}
_NESTS = frozenset((list, tuple, dict))
_STR = frozenset((str,))


def read_request(payload: Data) -> tuple[list[Any], dict[str, Any]]:
    """Return args and kwargs of a request in JSON.

    Raises ValueError if it is malformed, ImportError for a tensor without numpy.
    """
    data = bytes(payload)
    try:
        text = str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"the request is not UTF-8: {error}") from None
    start = len(text) - len(text.lstrip(_SPACE))
    if start == len(text):
        return [], {}
    marks = _marks(data)
    nests, careful, unusual = marks.count("["), '"$' in text, False
    if "\\" in text:
        careful = careful or "\\u0024" in text
        unusual = "\\ud" in text or "\\uD" in text
    if _MANY_DIGITS in marks or _LARGE_EXPONENT in marks:
        careful = unusual = True
    if nests > _SAFE_DEPTH and sys.getrecursionlimit() > _SAFE_DEPTH:
        _check_brackets(data)
    try:
        request, end = (_CAREFUL if careful else _PLAIN).raw_decode(text, start)
        if extra := text[end:].lstrip(_SPACE):
            raise JSONDecodeError("Extra data", text, len(text) - len(extra))
    except JSONDecodeError as error:
        raise ValueError(f"the request is not JSON: {error}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    args, kwargs = _arguments(request)
    if nests > MAX_DEPTH:
        _check_depth(args, kwargs)
    if unusual:
        _check_scalars([args, kwargs])
    return args, kwargs


def write(value: Any, what: str) -> bytes:
    """Return `value` as JSON on one line. The path in an error begins with `what`.

    Raises TypeError or ValueError for what has no form as a Value, or none in JSON.
    """
    kind = type(value)
    if kind is bytes:
        return b'{"$bytes":"%b"}' % b2a_base64(value, newline=False)
    if kind in _SCALARS or (kind in _NESTS and _is_plain(value, MAX_DEPTH)):
        try:
            data = _ENCODER.encode(value).encode()
            if _MANY_DIGITS in _marks(data):
                _check_scalars([value])
            return data
        except ValueError:  # A double that is not finite, an int over 64 bits or a lone surrogate.
            pass
    encode(value, Value(), what)
    try:
        return _ENCODER.encode(_form(value)).encode()
    except Unfit as unfit:
        raise unfit.at(what) from None


def _marks(data: bytes) -> str:
    return str(data.translate(_MARKS, b"+"), "latin-1")


def _arguments(request: Any) -> tuple[list[Any], dict[str, Any]]:
    if type(request) is list:
        return request, {}
    if type(request) is not dict:
        raise ValueError("the request is neither a list nor an object")
    args, kwargs = request.get("args", []), request.get("kwargs", {})
    if not _PARTS.issuperset(request):
        other = next(key for key in request if key not in _PARTS)
        raise ValueError(f'a request has no key but "args" and "kwargs", this one has "{other}"')
    if type(args) is not list:
        raise ValueError("args is not a list")
    if type(kwargs) is not dict:
        raise ValueError("kwargs is not an object")
    return args, kwargs


def _check_depth(args: list[Any], kwargs: dict[str, Any]) -> None:
    level: list[Any] = [args, kwargs]
    for _ in range(MAX_DEPTH + 1):
        level = [
            item
            for nest in level
            for item in (nest.values() if type(nest) is dict else nest)
            if type(item) in _NESTS
        ]  # fmt: skip
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def _check_scalars(rest: list[Any]) -> None:
    """Check integers and strings in the values of `rest`, which nest within the limit. Empties the list."""
    while rest:
        value = rest.pop()
        kind = type(value)
        if kind is str:
            try:
                value.isascii() or value.encode()
            except UnicodeEncodeError:
                raise ValueError("malformed JSON: a string holds a lone surrogate") from None
        elif kind is int:
            if not _SMALLEST <= value <= _LARGEST:
                raise ValueError(f"malformed JSON: {value} does not fit in 64 bits")
        elif kind is dict:
            rest += value
            rest += value.values()
        elif kind in _NESTS:
            rest += value


def _check_brackets(data: bytes) -> None:
    """Refuse a text that nests so deep that the scanner, which calls itself for each level, would end the process."""
    rest = _STRINGS.sub(b"", data).translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(_ROUNDS):
        rest = rest.replace(b"[]", b"")
    if rest.count(b"[") > _SAFE_DEPTH:
        raise ValueError(_TOO_DEEP)


def _object(entries: dict[str, Any]) -> Any:
    if len(entries) != 1:
        return entries
    ((key, content),) = entries.items()
    read = _READERS.get(key)
    return read(content) if read else entries


def _read_bytes(content: Any) -> bytes:
    if type(content) is str:
        try:
            data = a2b_base64(content)
            # The decoder passes over what is no base64.
            if b2a_base64(data, newline=False).decode() == content:
                return data
        except ValueError:
            pass
    raise ValueError("malformed $bytes: it is a string of base64 with padding")


def _read_double(content: Any) -> float:
    if type(content) is not str or content not in NOT_FINITE:
        raise ValueError(f"malformed $double: it is one of {', '.join(NOT_FINITE)}")
    return NOT_FINITE[content]


def _int(text: str) -> int:
    if len(text) > _LONGEST_INT:
        raise ValueError(f"malformed JSON: {text[:_LONGEST_INT]}... does not fit in 64 bits")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"malformed JSON: {text:.40} does not fit in a double")
    return value


def _constant(text: str) -> NoReturn:
    raise ValueError(f'malformed JSON: {text} is no number; write {{"$double": "NaN"}}, "inf" or "-inf"')


def _is_plain(nest: Any, depth: int) -> bool:
    """Return whether json writes a list, tuple or dict as the table says, but for doubles, ints and surrogates."""
    if not depth:
        return False
    items = nest
    if type(nest) is dict:
        if not _STR.issuperset(map(type, nest)) or (len(nest) == 1 and not SPECIAL.isdisjoint(nest)):
            return False
        items = nest.values()
    if _SCALARS.issuperset(map(type, items)):
        return True
    for item in items:
        kind = type(item)
        if kind not in _SCALARS and (kind not in _NESTS or not _is_plain(item, depth - 1)):
            return False
    return True


def _form(value: Any) -> Any:
    """Return what has a form as a Value as what json can write."""
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is float:
        return double_form(value)
    if issubclass(kind, dict):
        return _map_form(value)
    if issubclass(kind, (list, tuple)):
        return _list_form(value)
    message = Value()
    encode(value, message)
    name = message.WhichOneof("kind") or ""
    content = getattr(message, name)
    if name == "tensor_value":
        try:
            return {"$tensor": tensor_form(content)}
        except ValueError as error:
            raise Unfit(ValueError, str(error)) from None
    return double_form(content) if name == "double_value" else content


def _list_form(value: Any) -> list[Any]:
    forms: list[Any] = []
    try:
        for item in value:
            forms.append(_form(item))
    except Unfit as unfit:
        unfit.steps.append(f"[{len(forms)}]")
        raise
    return forms


def _map_form(value: Any) -> dict[str, Any]:
    forms: dict[str, Any] = {}
    key = ""
    try:
        for key, item in value.items():
            forms[key] = _form(item)
    except Unfit as unfit:
        unfit.steps.append(f'["{key}"]')
        raise
    if len(forms) == 1 and key in SPECIAL:
        raise Unfit(ValueError, f'a map whose only key is "{key}" has no form in JSON, where it means something else')
    return forms


def _bytes_form(value: bytes) -> dict[str, str]:
    return {"$bytes": b2a_base64(value, newline=False).decode()}


_READERS = {"$bytes": _read_bytes, "$double": _read_double, "$tensor": read_tensor}
_PLAIN = JSONDecoder(parse_constant=_constant)
_CAREFUL = JSONDecoder(object_hook=_object, parse_int=_int, parse_float=_float, parse_constant=_constant)
_ENCODER = JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"), default=_bytes_form
)
