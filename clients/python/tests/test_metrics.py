"""Metrics of apps as an app sees them, and what of them is due to be sent."""

import math
import os
import threading

import pytest

from dirtyd import metrics
from dirtyd.metrics import Counter, Gauge, Histogram
from dirtyd.metrics.names import definition
from dirtyd.metrics.registry import MAX_METRICS, MAX_SERIES, Registry

EVERYTHING = 1 << 30
METRICS = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}


@pytest.fixture
def registry():
    return Registry()


def declare(registry, kind, name="things", help="Things", unit="", **more):
    return registry.declare(METRICS[kind], definition(kind, name, help, unit, **more))


def gains(registry, room=EVERYTHING):
    return [(gain.metric.name, dict(gain.labels), gain.value, gain.counts) for gain in registry.take(room)]


def test_a_counter_tells_what_it_has_gained_since_the_last_time(registry):
    counter = declare(registry, "counter")
    counter.inc()
    counter.inc(2.5, color="red")
    counter.inc(color="red")
    assert gains(registry) == [("things", {}, 1.0, ()), ("things", {"color": "red"}, 3.5, ())]
    assert gains(registry) == []
    counter.inc(4)
    assert gains(registry) == [("things", {}, 4.0, ())]
    assert (counter.value(), counter.value(color="red"), counter.value(color="green")) == (5.0, 3.5, 0.0)


def test_a_gauge_tells_its_value(registry):
    gauge = declare(registry, "gauge", merge="max")
    gauge.set(7)
    gauge.inc(2)
    gauge.dec()
    assert gains(registry) == [("things", {}, 8.0, ())]
    gauge.set(8)
    assert gains(registry) == [("things", {}, 8.0, ())]


def test_a_histogram_counts_a_bound_in_its_own_bucket(registry):
    histogram = declare(registry, "histogram", bounds=(1, 2))
    for value in (0.5, 1, 1.5, 2, 2.5):
        histogram.observe(value)
    assert gains(registry) == [("things", {}, 7.5, (2, 2, 1))]
    histogram.observe(1)
    assert gains(registry) == [("things", {}, 1.0, (1, 0, 0))]
    assert (histogram.value(), histogram.counts(), histogram.counts(a="b")) == (8.5, (3, 2, 1), (0, 0, 0))


def test_an_amount_of_zero_shows_that_the_series_is_there(registry):
    declare(registry, "counter").inc(0, color="red")
    assert gains(registry) == [("things", {"color": "red"}, 0.0, ())]


def test_labels_are_the_same_in_any_order_and_of_any_type(registry):
    counter = declare(registry, "counter")
    counter.inc(a=1, b="x")
    counter.inc(b="x", a="1")
    assert gains(registry) == [("things", {"a": "1", "b": "x"}, 2.0, ())]
    assert counter.labels(a="1", b="x") is counter.labels(b="x", a=1)
    assert counter.labels(a=["x"]) is counter.labels(a="['x']")
    assert counter.labels(a=True) is not counter.labels(a=1)


def test_any_name_can_be_a_label(registry):
    declare(registry, "counter").inc(amount=1, self=2, labels=3)
    assert gains(registry)[0][1] == {"amount": "1", "self": "2", "labels": "3"}


def test_what_cannot_be_sent_in_a_label_is_escaped_and_what_is_long_is_cut(registry):
    counter = declare(registry, "counter")
    for _ in range(2):
        counter.inc(text="\ud800" + "x" * 1000)
    assert gains(registry) == [("things", {"text": "\\ud800" + "x" * 255}, 2.0, ())]


def test_to_declare_a_metric_again_in_the_same_way_returns_it(registry):
    for kind in METRICS:
        name = f"same_{kind}"
        assert declare(registry, kind, name) is declare(registry, kind, name, " Things\n")


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("gauge", {}),
        ("counter", {"help": "Other things"}),
        ("counter", {"unit": "seconds"}),
    ],
)
def test_to_declare_a_metric_in_another_way_names_both(registry, kind, more):
    declare(registry, "counter")
    with pytest.raises(ValueError, match="things") as error:
        declare(registry, kind, **more)
    assert "counter('things', 'Things')" in str(error.value)
    assert str(definition(kind, "things", more.get("help", "Things"), more.get("unit", ""))) in str(error.value)


def test_bounds_and_merge_are_of_the_definition(registry):
    declare(registry, "histogram", bounds=(1, 2))
    with pytest.raises(ValueError, match=r"bounds=\(1.0, 3.0\).*bounds=\(1.0, 2.0\)"):
        declare(registry, "histogram", bounds=(1, 3))
    declare(registry, "gauge", "level", merge="max")
    with pytest.raises(ValueError, match=r"merge='sum'.*merge='max'"):
        declare(registry, "gauge", "level", merge="sum")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("", "letters"),
        ("1st", "no digit first"),
        ("tokens-out", "letters"),
        ("größe", "letters"),
        ("tokens\n", "letters"),
        ("x" * 101, "up to 100"),
        ("dirtyd_tokens", "dirtyd's own"),
        ("rpc_tokens", "dirtyd's own"),
        ("process_tokens", "dirtyd's own"),
        ("_tokens", "dirtyd's own"),
        ("tokens_total", "leave it out"),
        ("tokens_count", "leave it out"),
    ],
)
def test_a_bad_name_is_refused_with_the_remedy(name, remedy):
    with pytest.raises(ValueError, match=remedy):
        metrics.counter(name)


@pytest.mark.parametrize("name", ["_x", "dirtyd_x", "le"])
def test_a_bad_name_of_a_label_is_refused(registry, name):
    with pytest.raises(ValueError, match=f"'{name}'"):
        declare(registry, "counter").inc(1, **{name: "x"})


def test_too_many_labels_are_refused(registry):
    with pytest.raises(ValueError, match="at most 16"):
        declare(registry, "counter").inc(**{f"label{number}": "x" for number in range(17)})


@pytest.mark.parametrize("bounds", [(1, 1), (2, 1), (1, math.inf), (math.nan,), range(65)])
def test_bad_bounds_are_refused(bounds):
    with pytest.raises(ValueError, match="bounds of the histogram 'latency'"):
        metrics.histogram("latency", bounds=bounds)


def test_a_bad_merge_and_a_bad_unit_are_refused():
    with pytest.raises(ValueError, match="expected one of sum, max, min"):
        metrics.gauge("level", merge="mean")
    with pytest.raises(ValueError, match="such as 'seconds'"):
        metrics.counter("level", unit="per cent")


def test_a_counter_does_not_fall(registry):
    counter = declare(registry, "counter")
    with pytest.raises(ValueError, match="only grows; use a gauge"):
        counter.inc(-1)
    assert gains(registry) == []


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_must_be_finite(registry, value):
    counter, gauge, histogram = (declare(registry, kind, kind) for kind in METRICS)
    for give in (counter.inc, gauge.set, gauge.inc, gauge.dec, histogram.observe):
        with pytest.raises(ValueError, match="finite"):
            give(value)
    assert gains(registry) == []


def test_more_series_than_allowed_are_dropped_counted_and_told_once(registry, caplog):
    counter, gauge = declare(registry, "counter"), declare(registry, "gauge", "level")
    for number in range(MAX_SERIES + 5):
        counter.inc(number=number)
    gauge.set(1)
    counter.inc(10, number=0)
    taken = gains(registry)
    assert len(taken) == MAX_SERIES
    assert taken[0] == ("things", {"number": "0"}, 11.0, ())
    assert registry.dropped == 6
    assert [record.message for record in caplog.records if "combinations of labels" in record.message] != []
    assert len(caplog.records) == 1


def test_the_number_of_metrics_is_limited(registry):
    for number in range(MAX_METRICS):
        declare(registry, "counter", f"metric{number}")
    with pytest.raises(ValueError, match="use labels"):
        declare(registry, "counter")
    assert declare(registry, "counter", "metric0")


def test_what_does_not_fit_comes_the_next_time(registry):
    counter = declare(registry, "counter")
    for number in range(100):
        counter.inc(number=number)
    parts = []
    while part := gains(registry, 1000):
        parts.append(part)
    assert len(parts) > 1
    assert sorted(int(labels["number"]) for part in parts for _, labels, _, _ in part) == list(range(100))


def test_what_could_not_be_sent_is_not_lost(registry):
    counter, gauge, histogram = (declare(registry, kind, kind) for kind in METRICS)
    counter.inc(3)
    gauge.set(5)
    histogram.observe(0.5)
    taken = registry.take(EVERYTHING)
    counter.inc(1)
    registry.give_back(taken)
    again = registry.take(EVERYTHING)
    assert {gain.metric.name: gain.value for gain in again} == {"counter": 4.0, "gauge": 5.0, "histogram": 0.5}
    assert sum(next(gain.counts for gain in again if gain.counts)) == 1


def test_who_watches_is_woken_once_until_nothing_is_left(registry):
    wakes = []
    counter = declare(registry, "counter")
    counter.inc()
    registry.watch(lambda: wakes.append(1))
    counter.inc()
    assert len(wakes) == 1, "what was counted before counts, too"
    registry.take(EVERYTHING)
    assert len(wakes) == 1
    counter.inc()
    counter.inc(color="red")
    assert len(wakes) == 2
    registry.take(1)
    assert len(wakes) == 3, "something was left"


def test_threads_lose_no_count(registry):
    counter, taken = declare(registry, "counter"), []
    child = counter.labels(kind="child")
    ended = threading.Event()

    def work():
        for _ in range(2000):
            counter.inc(kind="labels")
            child.inc()

    def take():
        while not ended.is_set():
            taken.extend(registry.take(EVERYTHING))

    threads = [threading.Thread(target=work) for _ in range(4)]
    taker = threading.Thread(target=take)
    for thread in (taker, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    ended.set()
    taker.join()
    taken.extend(registry.take(EVERYTHING))
    for kind in ("labels", "child"):
        assert sum(gain.value for gain in taken if dict(gain.labels)["kind"] == kind) == 8000


def test_a_finaliser_may_count_while_its_thread_counts(registry):
    counter = declare(registry, "counter")
    with registry.lock:
        counter.inc()
        assert registry.take(EVERYTHING)[0].value == 1


def test_a_forked_child_counts_for_itself(registry):
    counter = metrics.counter("forked_test")
    counter.inc()
    held, go = threading.Event(), threading.Event()

    def hold():
        with metrics.registry.REGISTRY.lock:
            held.set()
            go.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    child = os.fork()
    if not child:
        counter.inc()
        os._exit(0 if [gain.value for gain in metrics.registry.REGISTRY.take(EVERYTHING)] == [2.0] else 1)
    go.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_module_that_is_imported_afresh_declares_its_metrics_anew(registry):
    source = "metric = declare(registry, 'counter', help=help)"
    declared = {"declare": declare, "registry": registry, "__name__": "an_app", "help": "Old"}
    exec(source, declared)
    declared["metric"].inc()
    # This test's own `declare` stands between the two, so that the module is that of the test.
    registry.forget([declared["metric"].module])
    exec(source, declared | {"help": "New"})
    assert gains(registry) == [("things", {}, 1.0, ())]


def test_the_module_that_declares_a_metric_is_known():
    assert metrics.counter("declared_here").module == __name__
