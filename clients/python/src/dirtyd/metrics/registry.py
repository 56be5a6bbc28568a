"""All metrics of a process, and what they have gained since somebody took it.

The one lock is held for a few assignments. It is reentrant, because a signal
handler or a finaliser may count while its own thread does.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dirtyd.metrics.names import Definition, Labels

if TYPE_CHECKING:
    from dirtyd.metrics.kinds import Metric, Series

#: The combinations of labels, of all metrics together, that a process may have. What is more is dropped and counted.
MAX_SERIES = 1000
#: The metrics that a process may declare.
MAX_METRICS = 1000

log = logging.getLogger("dirtyd.metrics")

M = TypeVar("M", bound="Metric[Any]")


class Gain(NamedTuple):
    """What one series has gained."""

    metric: Definition
    labels: Labels
    #: What a counter or the sum of a histogram has gained; the value of a gauge.
    value: float
    #: What each bucket of a histogram has gained.
    counts: tuple[int, ...]
    series: Series


class Registry:
    """The metrics by name, and the series that have changed."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        #: The updates that were dropped because there are too many series.
        self.dropped = 0
        self._metrics: dict[str, Metric[Any]] = {}
        self._count = 0
        self._changed: dict[Series, None] = {}
        self._wake: Callable[[], None] | None = None
        self._is_awake = False

    def declare(self, kind: type[M], definition: Definition) -> M:
        """Return the metric with this definition, a new one if there is none of its name."""
        with self.lock:
            found = self._metrics.get(definition.name)
            if found is None:
                if len(self._metrics) >= MAX_METRICS:
                    raise ValueError(
                        f"{definition.name!r} would be metric number {MAX_METRICS + 1} of this process; "
                        "use labels in place of names that vary"
                    )
                metric = self._metrics[definition.name] = kind(self, definition)
                return metric
        if found.definition != definition or not isinstance(found, kind):
            raise ValueError(f"{definition} cannot be declared: there is {found.definition}; rename one of them")
        return found

    def forget(self, modules: Iterable[str]) -> None:
        """Let modules that are going to be imported afresh declare their metrics anew."""
        with self.lock:
            gone = set(modules)
            self._metrics = {name: metric for name, metric in self._metrics.items() if metric.module not in gone}

    def admit(self) -> bool:
        """Return whether there is room for one more series, and take it. The lock is held."""
        if self._count >= MAX_SERIES:
            if not self.dropped:
                log.warning(
                    "the metrics of this process have %d combinations of labels; what else they count is dropped. "
                    "Use labels that have few values",
                    MAX_SERIES,
                )
            return False
        self._count += 1
        return True

    def mark(self, series: Series) -> None:
        """Note that a series changes. The lock is held."""
        self._changed[series] = None
        # In this order: a thread that is interrupted between the two wakes once more the next time.
        if not self._is_awake and self._wake:
            self._wake()
            self._is_awake = True

    def watch(self, wake: Callable[[], None] | None) -> None:
        """Call `wake`, with the lock held, when something changes after nothing was left to take."""
        with self.lock:
            self._wake, self._is_awake = wake, False
            if wake and self._changed:
                wake()
                self._is_awake = True

    def take(self, room: int) -> list[Gain]:
        """Return what has changed since the last time, as far as it takes no more than `room` bytes.

        Only one thread may take at a time. What it cannot use it gives back.
        """
        with self.lock:
            # Another one from here on, so that nobody changes it meanwhile, not even a finaliser on this thread.
            pending, self._changed = self._changed, {}
            self._is_awake = False
            gains: list[Gain] = []
            left: dict[Series, None] = {}
            metrics = set[str]()
            for series in pending:
                name = series.definition.name
                size = series.size + (0 if name in metrics else series.definition_size)
                if left or (gains and size > room):
                    left[series] = None
                    continue
                room -= size
                metrics.add(name)
                gains.append(series.take())
            self._mark_all(left)
            return gains

    def give_back(self, gains: list[Gain]) -> None:
        """Undo a take whose gains could not be sent."""
        with self.lock:
            for gain in gains:
                gain.series.give_back(gain)
            self._mark_all({gain.series: None for gain in gains})

    def _mark_all(self, series: dict[Series, None]) -> None:
        newer, self._changed = self._changed, series
        for each in newer:
            self.mark(each)
        if series:
            self.mark(next(iter(series)))

    def after_fork(self) -> None:
        """Begin anew in a child: it has no arbiter, and whoever held the lock is not there."""
        self.lock = threading.RLock()
        self._wake = None
        self._changed = {}


REGISTRY = Registry()
os.register_at_fork(after_in_child=REGISTRY.after_fork)
