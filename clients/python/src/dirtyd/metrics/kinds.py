"""The three kinds of metrics and their series: a series is a metric with one combination of labels."""

from __future__ import annotations

import sys
from bisect import bisect_left
from math import isfinite
from typing import Any, ClassVar, Generic, TypeVar

from dirtyd.metrics.names import Definition, Labels, checked_labels
from dirtyd.metrics.registry import Gain, Registry

# Above what a number, a tag or a length takes in a frame.
_WORD = 12


class Series:
    """A number of a metric for one combination of labels. For code that counts often it saves looking the labels up."""

    __slots__ = ("_registry", "_sent", "_total", "definition", "definition_size", "is_dropped", "labels", "size")

    def __init__(self, registry: Registry, definition: Definition, labels: Labels, is_dropped: bool) -> None:
        self._registry = registry
        self.definition, self.labels = definition, labels
        #: True if there were too many series when this one was made: what it counts is dropped.
        self.is_dropped = is_dropped
        self._total = self._sent = 0.0
        texts = sum(len(name) + len(value.encode()) + 3 * _WORD for name, value in labels)
        #: What the series and its definition take in a frame, at most.
        self.size = texts + _WORD * (len(definition.bounds) + 4)
        self.definition_size = len(str(definition).encode()) + _WORD * (len(definition.bounds) + 8)

    @property
    def value(self) -> float:
        """What this process has counted; the value of a gauge; the sum of a histogram."""
        return self._total

    def take(self) -> Gain:
        """Return what was gained since the last time. The lock is held."""
        gained, self._sent = self._total - self._sent, self._total
        return Gain(self.definition, self.labels, gained, (), self)

    def give_back(self, gain: Gain) -> None:
        """Undo a take. The lock is held."""
        self._sent -= gain.value

    def _set(self, total: float, given: object) -> None:
        """Take a new total, which `given` has led to. The lock is held."""
        if not isfinite(total):
            raise ValueError(
                f"the {self.definition.kind} {self.definition.name!r} got {given!r}; expected finite values"
            )
        if self.is_dropped:
            self._registry.dropped += 1
            return
        # First the mark: if an exception hits this thread between the two, nothing is counted that is not sent.
        self._registry.mark(self)
        self._total = float(total)


class CounterSeries(Series):
    """A series of a counter."""

    __slots__ = ()

    def inc(self, amount: float = 1, /) -> None:
        """Add `amount`. Raises ValueError if it is negative or not finite."""
        if amount < 0:
            raise ValueError(f"the counter {self.definition.name!r} got {amount!r}, but only grows; use a gauge")
        with self._registry.lock:
            self._set(self._total + amount, amount)


class GaugeSeries(Series):
    """A series of a gauge."""

    __slots__ = ()

    def set(self, value: float, /) -> None:
        """Take the value. Raises ValueError if it is not finite."""
        with self._registry.lock:
            self._set(value, value)

    def inc(self, amount: float = 1, /) -> None:
        """Add `amount`. Raises ValueError if it is not finite."""
        with self._registry.lock:
            self._set(self._total + amount, amount)

    def dec(self, amount: float = 1, /) -> None:
        """Subtract `amount`. Raises ValueError if it is not finite."""
        self.inc(-amount)

    def take(self) -> Gain:
        return Gain(self.definition, self.labels, self._total, (), self)

    def give_back(self, gain: Gain) -> None:
        """A gauge is sent as it is: the next take has what this one had."""


class HistogramSeries(Series):
    """A series of a histogram."""

    __slots__ = ("_counts", "_counts_sent")

    def __init__(self, registry: Registry, definition: Definition, labels: Labels, is_dropped: bool) -> None:
        super().__init__(registry, definition, labels, is_dropped)
        self._counts = [0] * (len(definition.bounds) + 1)
        self._counts_sent = [0] * len(self._counts)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many values each bucket has, the one without a bound last."""
        return tuple(self._counts)

    def observe(self, value: float, /) -> None:
        """Count one value. Raises ValueError if it is not finite."""
        with self._registry.lock:
            self._set(self._total + value, value)
            self._counts[bisect_left(self.definition.bounds, value)] += 1

    def take(self) -> Gain:
        gained, self._sent = self._total - self._sent, self._total
        counts = tuple(now - sent for now, sent in zip(self._counts, self._counts_sent, strict=True))
        self._counts_sent = list(self._counts)
        return Gain(self.definition, self.labels, gained, counts, self)

    def give_back(self, gain: Gain) -> None:
        self._sent -= gain.value
        self._counts_sent = [sent - count for sent, count in zip(self._counts_sent, gain.counts, strict=True)]


S = TypeVar("S", bound=Series)


class Metric(Generic[S]):
    """A metric: its definition and its series."""

    _series_type: ClassVar[type[Series]]

    def __init__(self, registry: Registry, definition: Definition) -> None:
        self.definition = definition
        #: The module that has declared it: the first one outside of this package.
        self.module = _caller()
        self._registry = registry
        self._series: dict[Labels, S] = {}
        self._dropped: S | None = None

    def __repr__(self) -> str:
        return f"<{self.definition}>"

    @property
    def name(self) -> str:
        return self.definition.name

    def labels(self, /, **labels: object) -> S:
        """Return the series with these labels. Their values become str. Raises ValueError for a bad name."""
        # Only what was checked is found, and only if all values are text.
        key: Any = tuple(labels.items() if len(labels) < 2 else sorted(labels.items()))
        try:
            series = self._series.get(key)
        except TypeError:  # A value cannot be hashed.
            series = None
        return self._labelled(checked_labels(self.definition, labels)) if series is None else series

    def value(self, /, **labels: object) -> float:
        """Return what this process has counted with these labels, 0 if nothing: for tests."""
        series = self._series.get(checked_labels(self.definition, labels))
        return series.value if series else 0.0

    def _labelled(self, labels: Labels) -> S:
        with self._registry.lock:
            series = self._series.get(labels)
            if series is not None:
                return series
            if self._registry.admit():
                series = self._series[labels] = self._new(labels, is_dropped=False)
                return series
            if self._dropped is None:
                self._dropped = self._new((), is_dropped=True)
            return self._dropped

    def _new(self, labels: Labels, is_dropped: bool) -> S:
        return self._series_type(self._registry, self.definition, labels, is_dropped)  # type: ignore[return-value]


class Counter(Metric[CounterSeries]):
    """A number that only grows."""

    _series_type = CounterSeries

    def inc(self, amount: float = 1, /, **labels: object) -> None:
        """Add `amount`. Raises ValueError if it is negative or not finite."""
        self.labels(**labels).inc(amount)


class Gauge(Metric[GaugeSeries]):
    """A number that goes up and down."""

    _series_type = GaugeSeries

    def set(self, value: float, /, **labels: object) -> None:
        """Take the value. Raises ValueError if it is not finite."""
        self.labels(**labels).set(value)

    def inc(self, amount: float = 1, /, **labels: object) -> None:
        """Add `amount`. Raises ValueError if it is not finite."""
        self.labels(**labels).inc(amount)

    def dec(self, amount: float = 1, /, **labels: object) -> None:
        """Subtract `amount`. Raises ValueError if it is not finite."""
        self.labels(**labels).dec(amount)


class Histogram(Metric[HistogramSeries]):
    """How often values fell into ranges. `value()` is their sum."""

    _series_type = HistogramSeries

    def observe(self, value: float, /, **labels: object) -> None:
        """Count one value. Raises ValueError if it is not finite."""
        self.labels(**labels).observe(value)

    def counts(self, /, **labels: object) -> tuple[int, ...]:
        """Return how many values each bucket has in this process, the one without a bound last: for tests."""
        series = self._series.get(checked_labels(self.definition, labels))
        return series.counts if series else (0,) * (len(self.definition.bounds) + 1)


def _caller() -> str:
    frame, package = sys._getframe(1), __name__.rpartition(".")[0]
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(package):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", ""))
