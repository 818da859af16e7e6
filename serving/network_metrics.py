"""What networks inside `tryon` compute, as counters on Triton's own /metrics: they are no models of Triton,
which counts its models itself."""

from typing import Any

_COUNTERS = {
    "rows": ("lucy_network_rows_total", "Rows that a network inside tryon has computed"),
    "calls": ("lucy_network_calls_total", "Calls of a network inside tryon"),
    "seconds": ("lucy_network_seconds_total", "Seconds in which a network inside tryon has computed"),
}


class NetworkMetrics:
    """An `Observer` (serving.in_process).

    pb_utils: Triton's module in a Python model.
    networks: their names. Every counter is there from the beginning, as Prometheus wants it.
    """

    def __init__(self, pb_utils: Any, networks: list[str]):
        family = pb_utils.MetricFamily
        # Kept: a family's metrics end with it.
        self._families = {
            key: family(name=name, description=description, kind=family.COUNTER)
            for key, (name, description) in _COUNTERS.items()
        }
        self._counters = {
            name: {key: it.Metric(labels={"model": name}) for key, it in self._families.items()}
            for name in networks
        }

    def __call__(self, model: str, rows: int, seconds: float) -> None:
        counters = self._counters[model]
        counters["rows"].increment(rows)
        counters["calls"].increment(1)
        counters["seconds"].increment(seconds)
