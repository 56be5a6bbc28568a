"""An app that makes spans of its own, as a team with OpenTelemetry has them, and says which."""

from collections.abc import Iterator

from dirtyd import DirtyApp
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

trace.set_tracer_provider(TracerProvider())
tracer = trace.get_tracer("traced")

TRACED = "traced:Traced"


class Traced(DirtyApp):
    def embed(self) -> dict[str, str]:
        with tracer.start_as_current_span("encode") as span:
            return told(span)

    def tell(self) -> Iterator[dict[str, str]]:
        for _ in range(3):
            with tracer.start_as_current_span("token") as span:
                yield told(span)

    def fail(self) -> None:
        with tracer.start_as_current_span("encode") as span:
            raise ValueError(told(span)["trace"])


def told(span: trace.Span) -> dict[str, str]:
    """Return the trace, the span and its parent, as they are written."""
    context, parent = span.get_span_context(), getattr(span, "parent", None)
    return {
        "trace": f"{context.trace_id:032x}",
        "span": f"{context.span_id:016x}",
        "parent": f"{parent.span_id:016x}" if parent else "",
    }
