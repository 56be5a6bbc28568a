"""One trace, from the handler of a web server through dirtyd to a span that an action makes."""

import http.server
import queue
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dirtyd import DirtyClient, errors
from flask import Flask, jsonify
from opentelemetry import propagate, trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace import TracerProvider
from processes import APPS

from daemon import PATIENCE, daemon

TRACED = "traced:Traced"
CONFIG = """
[[app]]
path = "traced:Traced"
[observe]
otlp_endpoint = "http://127.0.0.1:{port}"
otlp_protocol = "http"
otlp_metrics_interval = 0
"""


class Collector:
    """Takes spans by OTLP over HTTP."""

    def __init__(self) -> None:
        spans: queue.Queue[Span] = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = ExportTraceServiceRequest()
                request.ParseFromString(self.rfile.read(int(self.headers["content-length"])))
                for of_resource in request.resource_spans:
                    for of_scope in of_resource.scope_spans:
                        for span in of_scope.spans:
                            spans.put(span)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.spans = spans
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def call(self) -> dict[str, Span]:
        """Return the three spans of the next call, by their names; that of the call itself by `call`."""
        spans = [self.spans.get(timeout=PATIENCE) for _ in range(3)]
        return {"call" if span.kind == Span.SPAN_KIND_SERVER else span.name: span for span in spans}


@contextmanager
def served() -> Iterator[tuple[Collector, str]]:
    collector = Collector()
    with tempfile.TemporaryDirectory() as name:
        config = Path(name, "dirtyd.toml")
        config.write_text(CONFIG.format(port=collector.server.server_port))
        # The app is imported from where the configuration stands.
        Path(name, "traced.py").write_text((APPS / "traced.py").read_text())
        with daemon(Path(name), (TRACED, "no_such_action"), "--config", str(config)) as socket:
            yield collector, socket


def web(socket: str) -> Flask:
    """A web app whose handlers have a span, and pass it on."""
    app, client = Flask("shop"), DirtyClient(socket, timeout=PATIENCE)
    tracer = TracerProvider().get_tracer("shop")

    def traced(action: str) -> object:
        with tracer.start_as_current_span("GET") as span:
            metadata: dict[str, str] = {}
            propagate.inject(metadata)
            calling = client.options(metadata=metadata)
            told: object
            try:
                told = list(calling.stream(TRACED, "tell")) if action == "tell" else calling.execute(TRACED, action)
            except errors.DirtyAppError as error:
                told = str(error)
            context = span.get_span_context()
            return jsonify(trace=trace.format_trace_id(context.trace_id), span=f"{context.span_id:016x}", told=told)

    app.add_url_rule("/<action>", view_func=traced)
    return app


@pytest.mark.parametrize("action", ["embed", "tell", "fail"])
def test_a_trace_goes_from_the_handler_to_the_action(action: str) -> None:
    with served() as (collector, socket):
        handler = web(socket).test_client().get(f"/{action}").get_json()
        call = collector.call()
        server = call["call"]
        assert server.trace_id.hex() == handler["trace"]
        assert server.parent_span_id.hex() == handler["span"]
        assert [call[part].parent_span_id for part in ("queue", "run")] == [server.span_id] * 2
        failed = server.status.code == Status.STATUS_CODE_ERROR
        if action == "fail":
            assert failed
            assert handler["trace"] in handler["told"], "the action is in the same trace"
            return
        assert not failed
        spans = handler["told"] if action == "tell" else [handler["told"]]
        for span in spans:
            assert (span["trace"], span["parent"]) == (handler["trace"], call["run"].span_id.hex())
        assert [event.name for event in call["run"].events] == (["first chunk"] if action == "tell" else [])
