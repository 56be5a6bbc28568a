"""What the metrics of apps have gained, on its way to the arbiter: at most one frame in a second.

A thread of its own sends it, also while an action blocks the main thread. It
begins before any app is imported, so that it is a thread of the system whatever
an app patches, and it waits on a bare lock for the same reason. It sleeps as long
as nothing is counted.
"""

import logging
import os
import threading
from _thread import allocate_lock
from contextlib import suppress
from time import sleep

from dirtyd._proto.dirty.worker.v1.worker_pb2 import (
    GAUGE_MERGE_MAX,
    GAUGE_MERGE_MIN,
    GAUGE_MERGE_SUM,
    METRIC_KIND_COUNTER,
    METRIC_KIND_GAUGE,
    METRIC_KIND_HISTOGRAM,
    Metric,
    Metrics,
    WorkerFrame,
)
from dirtyd.metrics.names import Definition
from dirtyd.metrics.registry import MAX_SERIES, REGISTRY, Gain, Registry
from dirtyd.worker.link import Link

#: The seconds from the first change to the frame that tells it.
INTERVAL = 1.0
#: What a frame may take, in bytes. What is more goes into the next one. It is below the limit of every arbiter.
ROOM = 512 * 1024

_KINDS = {"counter": METRIC_KIND_COUNTER, "gauge": METRIC_KIND_GAUGE, "histogram": METRIC_KIND_HISTOGRAM}
_MERGES = {"sum": GAUGE_MERGE_SUM, "max": GAUGE_MERGE_MAX, "min": GAUGE_MERGE_MIN}

log = logging.getLogger("dirtyd.worker")


class Reporter:
    """Sends what the metrics have gained."""

    def __init__(self, link: Link, registry: Registry = REGISTRY) -> None:
        self._link, self._registry = link, registry
        self._sending = threading.Lock()
        self._worker = os.getpid()
        #: Held until there is something to send.
        self._nothing = allocate_lock()
        self._nothing.acquire()

    def start(self) -> None:
        """Begin to send. What was counted before is sent, too."""
        threading.Thread(target=self._serve, name="dirtyd-metrics", daemon=True).start()
        self._registry.watch(self._wake)

    def flush(self) -> None:
        """Send at once all that has changed, before the worker exits."""
        if os.getpid() != self._worker:  # A child that an action has forked.
            return
        # Each frame has at least one series; what other threads count meanwhile must not keep the worker.
        for _ in range(MAX_SERIES):
            if not self._send():
                return

    def _wake(self) -> None:
        with suppress(RuntimeError):  # It is awake already.
            self._nothing.release()

    def _serve(self) -> None:
        while True:
            self._nothing.acquire()
            sleep(INTERVAL)
            try:
                self._send()
            except Exception:
                log.exception("failed to send metrics; they are kept for the next time")

    def _send(self) -> bool:
        """Send one frame. Return False if there is nothing to send."""
        with self._sending:
            gains = self._registry.take(ROOM)
            if not gains:
                return False
            try:
                self._link.send(WorkerFrame(metrics=_message(gains)))
            except BaseException:
                self._registry.give_back(gains)
                raise
            return True


def _message(gains: list[Gain]) -> Metrics:
    message = Metrics()
    metrics: dict[Definition, Metric] = {}
    for gain in gains:
        metric = metrics.get(gain.metric)
        if metric is None:
            metric = metrics[gain.metric] = message.metrics.add()
            _define(metric, gain.metric)
        metric.series.add(labels=dict(gain.labels), value=gain.value, counts=gain.counts)
    return message


def _define(metric: Metric, definition: Definition) -> None:
    metric.name, metric.kind = definition.name, _KINDS[definition.kind]
    metric.help, metric.unit = definition.help, definition.unit
    metric.bounds.extend(definition.bounds)
    if definition.merge:
        metric.merge = _MERGES[definition.merge]
