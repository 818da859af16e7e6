"""Counters of networks inside `tryon`, on a fake of Triton's custom metrics."""

from types import SimpleNamespace

from serving.network_metrics import NetworkMetrics

FAMILIES = []


class Family:
    COUNTER = "counter"

    def __init__(self, name, description, kind):
        assert kind == self.COUNTER
        assert description
        self.name, self.values = name, {}
        FAMILIES.append(self)

    def Metric(self, labels):
        model = labels["model"]
        self.values[model] = 0

        def increment(value):
            self.values[model] += value

        return SimpleNamespace(increment=increment)


def test_rows_calls_and_seconds_of_each_network_are_counted():
    metrics = NetworkMetrics(SimpleNamespace(MetricFamily=Family), ["unet", "vae_decoder"])
    metrics("unet", 3, 0.5)
    metrics("unet", 1, 0.25)
    assert {family.name: family.values for family in FAMILIES} == {
        "lucy_network_rows_total": {"unet": 4, "vae_decoder": 0},
        "lucy_network_calls_total": {"unet": 2, "vae_decoder": 0},
        "lucy_network_seconds_total": {"unet": 0.75, "vae_decoder": 0},
    }
