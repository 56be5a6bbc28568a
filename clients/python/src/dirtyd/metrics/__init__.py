"""Metrics of apps: counters, gauges and histograms, which dirtyd adds up over all workers.

    from dirtyd import metrics

    tokens = metrics.counter("tokens", "Tokens generated")

    class Story(DirtyApp):
        def tell(self):
            ...
            tokens.inc(5, model="small")

Declare a metric once, where the module is imported. To declare it again in the
same way returns the same metric. Metrics may be used from any thread, task or
greenlet. Outside a worker, in a test or a script, they count in the process and
send nothing; so they do in a process that an action has forked.
"""

from collections.abc import Iterable
from typing import Literal

from dirtyd.metrics.kinds import (
    Counter,
    CounterSeries,
    Gauge,
    GaugeSeries,
    Histogram,
    HistogramSeries,
)
from dirtyd.metrics.names import definition
from dirtyd.metrics.registry import MAX_SERIES, REGISTRY

__all__ = [
    "MAX_SERIES",
    "SECONDS",
    "Counter",
    "CounterSeries",
    "Gauge",
    "GaugeSeries",
    "Histogram",
    "HistogramSeries",
    "counter",
    "dropped",
    "gauge",
    "histogram",
]

#: The bounds of a histogram that has none of its own: from 5 ms to 5 minutes, if the values are seconds.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


def counter(name: str, help: str = "", *, unit: str = "") -> Counter:
    """Return the counter of that name: a number that only grows.

    dirtyd adds up what all workers have counted since it started, also those
    that are gone. The name has no suffix such as "_total". Raises ValueError if the name
    is not allowed, or has another definition already.
    """
    return REGISTRY.declare(Counter, definition("counter", name, help, unit))


def gauge(name: str, help: str = "", *, unit: str = "", merge: Literal["sum", "max", "min"] = "sum") -> Gauge:
    """Return the gauge of that name: a number that goes up and down.

    `merge` says how the values of the workers that live become one: their sum,
    the largest or the smallest. Raises ValueError as `counter` does.
    """
    return REGISTRY.declare(Gauge, definition("gauge", name, help, unit, merge=merge))


def histogram(name: str, help: str = "", *, unit: str = "", bounds: Iterable[float] = SECONDS) -> Histogram:
    """Return the histogram of that name: how often values fell into ranges.

    `bounds` are the upper bounds of the ranges, ascending, each included in its
    own, at most 64. What is above the last one is counted, too. Raises
    ValueError as `counter` does.
    """
    return REGISTRY.declare(Histogram, definition("histogram", name, help, unit, bounds=bounds))


def dropped() -> int:
    """Return how many updates of this process were dropped, because it had MAX_SERIES combinations of labels."""
    return REGISTRY.dropped
