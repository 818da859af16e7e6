"""The metrics that Prometheus scrapes at `/metrics`.

With PROMETHEUS_MULTIPROC_DIR, proxies that share that folder are counted together, and each of them answers
for all. The folder must be empty when the first one starts.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from frontend_proxy.answer_schemas import ErrorMessage, KeyframeAnswer, Report
from frontend_proxy.jobs import Execution, ModelServer

_SHARED = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
if _SHARED:
    Path(_SHARED).mkdir(parents=True, exist_ok=True)

disable_created_metrics()  # would double the number of series; the text format does not use them

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30, 60)
_LAG_EVERY_S = 0.1

REQUESTS = Counter("lucy_http_requests", "HTTP requests", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("lucy_http_request_seconds", "Time to the answer", ["route"], buckets=_SECONDS)
KEYFRAMES = Counter("lucy_keyframes", "Answered keyframes", ["mode", "reason"])
KEYFRAME_SECONDS = Histogram("lucy_keyframe_seconds", "From arrival to answer", buckets=_SECONDS)
DROPPED = Counter("lucy_keyframes_dropped", "Keyframes that a newer one of their socket replaced")
JOBS = Counter("lucy_jobs", "Ended jobs at Triton", ["mode", "outcome"])
STAGE_SECONDS = Histogram("lucy_stage_seconds", "Stages of a job", ["mode", "stage"], buckets=_SECONDS)
SOCKETS = Gauge("lucy_sockets", "Open WebSockets", multiprocess_mode="livesum")
IN_FLIGHT = Gauge("lucy_in_flight", "Jobs at Triton", ["mode"], multiprocess_mode="livesum")
SERVER_READY = Gauge(
    "lucy_server_ready", "1: the Triton takes jobs", ["server"], multiprocess_mode="livemostrecent"
)
SERVER_IN_FLIGHT = Gauge(
    "lucy_server_in_flight", "Jobs at one Triton", ["server"], multiprocess_mode="livesum"
)
SERVER_JOBS = Counter("lucy_server_jobs", "Ended jobs of one Triton", ["server", "outcome"])
LOOP_LAG = Histogram(
    "lucy_event_loop_lag_seconds",
    "Delay of a timer of the event loop",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1),
)


def count_request(method: str, route: str, status: int | None, seconds: float) -> None:
    """status: None if the client left before its answer."""
    known = method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS") else "other"
    REQUESTS.labels(known, route, status or "none").inc()
    REQUEST_SECONDS.labels(route).observe(seconds)


def count_keyframe(answer: KeyframeAnswer | ErrorMessage) -> None:
    if isinstance(answer, ErrorMessage):
        KEYFRAMES.labels("error", answer.code).inc()
        return
    reason = "reused" if answer.reused else answer.mode_reason or ""
    KEYFRAMES.labels(answer.mode, reason).inc()
    KEYFRAME_SECONDS.observe(answer.latency_ms["total"] / 1000)


def count_stages(mode: str, report: Report) -> None:
    """mode: keyframe or capture."""
    for stage, milliseconds in report.latency_ms.items():
        STAGE_SECONDS.labels(mode, stage).observe(milliseconds / 1000)


async def watch_loop() -> None:
    """Runs until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _LAG_EVERY_S
        await asyncio.sleep(_LAG_EVERY_S)
        LOOP_LAG.observe(max(0.0, loop.time() - due))


def forget_process() -> None:
    """Remove the gauges of this process, which ends, from the shared folder."""
    if _SHARED:
        multiprocess.mark_process_dead(os.getpid())


@dataclass(frozen=True)
class Backlog:
    """Captures in Redis: those that wait or are in progress, and the dead letters."""

    queued: int
    dead: int


class Metrics:
    """backlog: called at each scrape; it returns None without a Redis, or if Redis does not answer."""

    def __init__(self, server: ModelServer, backlog: Callable[[], Awaitable[Backlog | None]]) -> None:
        self._server = server
        self._backlog = backlog

    async def show(self, request: Request) -> Response:
        """`GET /metrics`: the metrics of the proxy, the sizes of Triton's batches, and the shared queue."""
        ours: CollectorRegistry = REGISTRY
        if _SHARED:
            ours = CollectorRegistry()
            multiprocess.MultiProcessCollector(ours)
        executions, backlog = await asyncio.gather(self._server.executions(), self._backlog())
        external = CollectorRegistry()
        external.register(_Executions(executions))
        if backlog is not None:
            Gauge("lucy_captures_queued", "Captures in Redis", registry=external).set(backlog.queued)
            Gauge("lucy_dead_letters", "Captures that are dead letters", registry=external).set(backlog.dead)
        # In a thread, because with several proxies it reads the files of all of them.
        text = await asyncio.to_thread(lambda: generate_latest(ours) + generate_latest(external))
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})


class _Executions(Collector):
    """The executions of Triton's models by batch size, and the rows in them.

    Rows divided by executions are the mean batch size.
    """

    def __init__(self, executions: Mapping[Execution, int]) -> None:
        self._executions = executions

    def collect(self) -> Iterator[Metric]:
        executions = CounterMetricFamily(
            "lucy_triton_executions",
            "Executions of a model in Triton",
            labels=["server", "model", "batch_size"],
        )
        rows = CounterMetricFamily(
            "lucy_triton_rows", "Rows in all these batches", labels=["server", "model"]
        )
        by_model: dict[tuple[str, str], int] = defaultdict(int)
        for (server, model, batch_size), count in sorted(self._executions.items()):
            executions.add_metric([server, model, str(batch_size)], count)
            by_model[server, model] += batch_size * count
        for labels, count in by_model.items():
            rows.add_metric(labels, count)
        yield executions
        yield rows
