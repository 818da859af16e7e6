"""W3C trace context, from the client through the proxy to Triton, and the proxy's own spans.

Without an exporter OpenTelemetry's spans record nothing but still pass on their parent, so the client's
`traceparent` (https://www.w3.org/TR/trace-context/) reaches Triton.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import Scope

_tracer = trace.get_tracer("frontend_proxy")
_propagator = TraceContextTextMapPropagator()


def configure(endpoint: str | None) -> Callable[[], None]:
    """Send spans to an OTLP collector (`http://host:4318`), if `endpoint` names one.

    Returns a function to call at the end. OpenTelemetry's own environment variables (OTEL_TRACES_SAMPLER, …)
    decide which spans are sampled. Raises ImportError if the exporter is not installed.
    """
    if endpoint is None:
        return lambda: None
    # Here: 0.04 s of a start without a collector.
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise ImportError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but its exporter is missing: pip install lucy-serve[tracing]"
        ) from error
    name = os.environ.get("OTEL_SERVICE_NAME", "lucy-serve")
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(traces_url(endpoint))))
    trace.set_tracer_provider(provider)
    return provider.shutdown


def traces_url(endpoint: str) -> str:
    """The URL for traces of an OTLP collector (OTLP specification 1.0, OTLP/HTTP request)."""
    return endpoint.rstrip("/") + "/v1/traces"


@contextmanager
def request_span(scope: Scope, recorded: bool) -> Iterator[Span]:
    """The span of an HTTP request, a child of its `traceparent`.

    A WebSocket has no span, because it may be open for hours. The spans of its keyframes are children of its
    `traceparent`.
    """
    headers = Headers(scope=scope)
    parent = _propagator.extract({name: headers[name] for name in _propagator.fields if name in headers})
    if scope["type"] == "websocket" or not recorded:
        token = context.attach(parent)
        try:
            yield trace.INVALID_SPAN
        finally:
            context.detach(token)
    else:
        with _tracer.start_as_current_span(scope["method"], parent, SpanKind.SERVER) as current:
            yield current


@contextmanager
def span(name: str) -> Iterator[Span]:
    """The span of one step of the current request."""
    with _tracer.start_as_current_span(name) as current:
        yield current


def end_request(span: Span, scope: Scope, route: str, status: int | None) -> None:
    """Name the span and set its attributes as OpenTelemetry's semantic conventions for HTTP servers say."""
    if not span.is_recording():
        return
    span.update_name(f"{scope['method']} {route}")
    span.set_attributes({"http.request.method": scope["method"], "http.route": route})
    if status is not None:
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_status(StatusCode.ERROR)


def outgoing_headers() -> dict[str, str]:
    """`traceparent` and `tracestate` of the current span, for a call to Triton."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier


def current_trace_id() -> str | None:
    """32 hexadecimal digits, or None without a trace. For logs."""
    current = trace.get_current_span().get_span_context()
    return trace.format_trace_id(current.trace_id) if current.is_valid else None
