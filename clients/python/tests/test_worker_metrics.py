"""When a worker sends what its metrics have gained."""

import pytest

from dirtyd._proto.dirty.worker.v1 import worker_pb2 as pb

AGREED = ["metrics"]

APP = """
import asyncio, atexit, os, threading, time
import dirtyd
from dirtyd import metrics

imported = metrics.counter("imported", "Imports")
imported.inc()
tokens = metrics.counter("tokens", "Tokens generated", unit="tokens")
level = metrics.gauge("level", "How full it is", merge="max")
latency = metrics.histogram("latency", "How long it took", unit="seconds", bounds=(1, 2))

class App(dirtyd.DirtyApp):
    def count(self, amount, **labels):
        tokens.inc(amount, **labels)

    async def count_async(self):
        tokens.inc(3, how="async")
        await asyncio.to_thread(tokens.inc, 4, how="thread")

    def measure(self):
        level.set(7)
        latency.observe(1.5)

    def many(self):
        for number in range(1000):
            tokens.inc(text="x" * 240, more="y" * 240, further="z" * 240, number=number)

    def count_and_block(self):
        tokens.inc(1, how="blocked")
        with open("finish") as finish:
            finish.read(1)

    def fork(self):
        child = os.fork()
        if not child:
            tokens.inc(100)
            atexit._run_exitfuncs()
            os._exit(0)
        return os.waitpid(child, 0)[1]

    def close(self):
        tokens.inc(1, how="close")
        def late():
            time.sleep(0.05)
            tokens.inc(1, how="late")
        threading.Thread(target=late).start()
"""


def serve(worker, capabilities=AGREED, **settings):
    return worker(APP, capabilities=capabilities, **settings)


def series(frame):
    """Return the series of a Metrics frame by the name of their metric."""
    return {metric.name: [(dict(each.labels), each.value) for each in metric.series] for metric in frame.metrics}


def imported(arbiter):
    """Take the frame about the import of the app."""
    assert series(arbiter.expect("metrics")) == {"imported": [({}, 1.0)]}


def test_what_a_call_counts_is_sent_with_its_definition_and_labels(worker):
    arbiter = serve(worker)
    imported(arbiter)
    arbiter.call("count", 5, model="small")
    arbiter.call("count", 2, model="small")
    (metric,) = arbiter.expect("metrics").metrics
    assert (metric.name, metric.kind, metric.help, metric.unit) == (
        "tokens",
        pb.METRIC_KIND_COUNTER,
        "Tokens generated",
        "tokens",
    )
    assert [(dict(each.labels), each.value) for each in metric.series] == [({"model": "small"}, 7.0)]


def test_gauges_and_histograms_have_what_they_need(worker):
    arbiter = serve(worker)
    imported(arbiter)
    arbiter.call("measure")
    level, latency = arbiter.expect("metrics").metrics
    assert (level.kind, level.merge, level.series[0].value) == (pb.METRIC_KIND_GAUGE, pb.GAUGE_MERGE_MAX, 7.0)
    assert (latency.kind, list(latency.bounds)) == (pb.METRIC_KIND_HISTOGRAM, [1.0, 2.0])
    assert (latency.series[0].value, list(latency.series[0].counts)) == (1.5, [0, 1, 0])


def test_tasks_and_threads_count(worker):
    arbiter = serve(worker, threads=2)
    imported(arbiter)
    arbiter.call("count_async")
    frame = series(arbiter.expect("metrics"))
    assert frame == {"tokens": [({"how": "async"}, 3.0), ({"how": "thread"}, 4.0)]}


def test_a_blocked_main_thread_does_not_hold_it_back(worker, finish):
    arbiter = serve(worker)
    imported(arbiter)
    call_id = arbiter.start("count_and_block")
    assert series(arbiter.expect("metrics")) == {"tokens": [({"how": "blocked"}, 1.0)]}
    finish.write()
    assert arbiter.expect("response").call_id == call_id


def test_what_does_not_fit_into_one_frame_comes_in_the_next(worker):
    arbiter = serve(worker)
    imported(arbiter)
    arbiter.call("many")
    frames = [arbiter.expect("metrics") for _ in range(2)]
    numbers = [each.labels["number"] for frame in frames for metric in frame.metrics for each in metric.series]
    # One series of the thousand that are allowed was taken by the import.
    assert sorted(map(int, numbers)) == list(range(999))
    assert all(frame.ByteSize() < 600_000 for frame in frames)


def test_without_the_capability_nothing_is_sent(worker):
    arbiter = serve(worker, capabilities=["json"])
    arbiter.call("count", 5)
    arbiter.send(shutdown=pb.Shutdown())
    with pytest.raises(EOFError):
        arbiter.receive()


def test_what_is_unsent_comes_before_the_exit_with_what_close_and_threads_count(worker):
    arbiter = serve(worker)
    imported(arbiter)
    arbiter.call("count", 5)
    arbiter.send(shutdown=pb.Shutdown())
    frame = series(arbiter.expect("metrics"))
    assert frame == {"tokens": [({}, 5.0), ({"how": "close"}, 1.0)]}
    assert series(arbiter.expect("metrics")) == {"tokens": [({"how": "late"}, 1.0)]}
    with pytest.raises(EOFError):
        arbiter.receive()
    assert arbiter.process.wait(30) == 0


def test_a_forked_child_sends_nothing(worker):
    arbiter = serve(worker)
    imported(arbiter)
    assert arbiter.call("fork") == 0
    arbiter.call("count", 5)
    assert series(arbiter.expect("metrics")) == {"tokens": [({}, 5.0)]}
    assert "Traceback" not in arbiter.stderr()


def test_gevent_does_not_hold_it_back(worker, finish):
    source = """
    def init(self):
        from gevent import monkey
        monkey.patch_all()
"""
    arbiter = worker(APP + source, capabilities=AGREED)
    imported(arbiter)
    arbiter.call("count", 5)
    assert series(arbiter.expect("metrics")) == {"tokens": [({}, 5.0)]}


def test_an_app_that_is_corrected_may_change_its_metrics(worker, tmp_path):
    arbiter = serve(worker, boot=False)
    arbiter.boot(capabilities=AGREED)
    source = (tmp_path / "apps.py").read_text()
    (tmp_path / "apps.py").write_text(source + "\nraise OSError('no model')\n")
    assert isinstance(arbiter.init("apps:App"), pb.AppFailed)
    (tmp_path / "apps.py").write_text(source.replace("Tokens generated", "Tokens that were generated"))
    answer = arbiter.init("apps:App")
    assert isinstance(answer, pb.AppReady), answer
