"""What a metric may be called, and its definition, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from math import isfinite
from typing import NamedTuple

MAX_NAME = 100
MAX_HELP = 500
MAX_BOUNDS = 64
MAX_LABELS = 16
#: What is longer of the value of a label, in characters, is cut off.
MAX_VALUE = 256

MERGES = ("sum", "max", "min")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_OF_THE_ARBITER = ("dirtyd_", "rpc_", "process_", "_")
#: What the formats of metrics put behind names.
_SUFFIXES = ("_total", "_sum", "_count", "_bucket", "_info", "_created")

#: Names and values, in the order of the names.
Labels = tuple[tuple[str, str], ...]


class Definition(NamedTuple):
    """What makes a metric that metric. `kind` is counter, gauge or histogram."""

    kind: str
    name: str
    help: str
    unit: str
    merge: str
    bounds: tuple[float, ...]

    def __str__(self) -> str:
        """Return how the metric is declared."""
        parts = [repr(self.name), repr(self.help)]
        if self.unit:
            parts.append(f"unit={self.unit!r}")
        if self.merge:
            parts.append(f"merge={self.merge!r}")
        if self.kind == "histogram":
            parts.append(f"bounds={self.bounds!r}")
        return f"{self.kind}({', '.join(parts)})"


def definition(
    kind: str, name: str, help: str, unit: str, *, merge: str = "", bounds: Iterable[float] = ()
) -> Definition:
    """Return a definition. Raises ValueError, which names what is wrong and what is expected."""
    _check_name(name, f"the name of a {kind}")
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            raise ValueError(f"the name of the {kind} {name!r} ends with {suffix!r}, which dirtyd adds; leave it out")
    line = " ".join(help.split())
    if len(line) > MAX_HELP:
        raise ValueError(f"the help of the {kind} {name!r} has {len(line)} characters; at most {MAX_HELP} are allowed")
    if unit and not _NAME.match(unit):
        raise ValueError(f"the unit of the {kind} {name!r} is {unit!r}; expected letters, such as 'seconds'")
    if merge and merge not in MERGES:
        raise ValueError(f"the merge of the {kind} {name!r} is {merge!r}; expected one of {', '.join(MERGES)}")
    return Definition(kind, name, clean(line), unit, merge, _checked_bounds(name, bounds))


def _checked_bounds(name: str, bounds: Iterable[float]) -> tuple[float, ...]:
    checked = tuple(float(bound) for bound in bounds)
    ascends = all(lower < upper for lower, upper in pairwise(checked))
    if not ascends or not all(map(isfinite, checked)) or len(checked) > MAX_BOUNDS:
        raise ValueError(
            f"the bounds of the histogram {name!r} are {checked!r}; "
            f"expected at most {MAX_BOUNDS} finite numbers, each greater than the one before"
        )
    return checked


def _check_name(name: str, what: str) -> None:
    if not _NAME.match(name) or len(name) > MAX_NAME:
        raise ValueError(
            f"{what} is {name!r}; expected up to {MAX_NAME} letters, digits and underscores, and no digit first"
        )
    if name.startswith(_OF_THE_ARBITER):
        raise ValueError(f"{what} is {name!r}; names that start with {', '.join(_OF_THE_ARBITER)} are dirtyd's own")


def checked_labels(metric: Definition, labels: Mapping[str, object]) -> Labels:
    """Return labels as they are sent. Raises ValueError if a name is not allowed."""
    if len(labels) > MAX_LABELS:
        raise ValueError(
            f"the {metric.kind} {metric.name!r} got {len(labels)} labels; at most {MAX_LABELS} are allowed"
        )
    for name in labels:
        _check_name(name, f"a label of the {metric.kind} {metric.name!r}")
        if name == "le":
            raise ValueError(f"a label of the {metric.kind} {metric.name!r} is 'le', which names buckets; rename it")
    return tuple(sorted((name, clean(str(value)[:MAX_VALUE])) for name, value in labels.items()))


def clean(text: str) -> str:
    """Return the text without lone surrogates, which cannot be sent."""
    return text.encode("utf-8", "backslashreplace").decode()
