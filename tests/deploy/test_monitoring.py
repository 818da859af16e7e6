"""Rules and dashboard: their queries run in a real Prometheus that scrapes the real stack."""

import base64
import json
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from websockets.sync.client import connect

from tests.stack import free_ports

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "lucy.json").read_text())
RULES = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
PICTURES = ROOT / "tests" / "data" / "keyframes" / "transparent_no_pose"

# Only a Triton with a GPU has these (Triton's user guide, "GPU Metrics"); no test has one.
GPU_METRICS = {
    "nv_gpu_utilization",
    "nv_gpu_memory_used_bytes",
    "nv_gpu_memory_total_bytes",
    "nv_gpu_power_usage",
    "nv_gpu_power_limit",
}
# Only a proxy with a REDIS_URL has these; tests/frontend_proxy/test_queued_captures.py sees them.
QUEUE_METRICS = {"lucy_captures_queued", "lucy_dead_letters"}
# Only profile gpu has networks inside `tryon`; tests/e2e/test_tryon.py reads their counters.
NETWORK_METRICS = {f"lucy_network_{counted}_total" for counted in ("rows", "calls", "seconds")}
ELSEWHERE = GPU_METRICS | QUEUE_METRICS | NETWORK_METRICS
# A stack without faults has no series for these; every other panel must show data.
FAULTLESS = {"Keyframes lost", "Jobs moved or lost, by Triton"}

needs_prometheus = pytest.mark.skipif(
    not shutil.which("promtool"), reason="Prometheus is not installed: apt-get install prometheus"
)


def queries():
    """(title of the panel, query) of the dashboard, with the variables filled in."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"].replace("$__rate_interval", "1m")


def scaling_queries():
    """KEDA's queries to Prometheus."""
    for path in (ROOT / "deploy" / "kubernetes" / "components" / "keda").glob("scaled-*.yaml"):
        for trigger in yaml.safe_load(path.read_text())["spec"]["triggers"]:
            yield trigger["metadata"]["query"]


def metrics(query):
    """The names of the metrics in a query: the words without labels, durations, numbers and functions."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|\b(?:by|without|on)\s*\([^)]*\)|\b\d[\w.]*', "", query)
    words = re.findall(r"[a-zA-Z_:][\w:]*(?!\w*\s*\()", bare)
    return set(words) - {"and", "or", "unless"}


def selectors(query):
    """(metric, its labels) wherever a query selects series by labels."""
    for metric, inside in re.findall(r"([\w:]+)\{([^}]*)\}", query):
        yield metric, re.findall(r'(\w+)\s*[=!]~?\s*"', inside)


def test_the_words_of_a_query_are_told_apart():
    query = 'sum by (le) (rate(lucy_a_bucket{x="y"}[5m])) / scalar(up{job="proxy"}) > 5e6 and lucy:b:rate5m'
    assert metrics(query) == {"lucy_a_bucket", "up", "lucy:b:rate5m"}
    assert list(selectors(query)) == [("lucy_a_bucket", ["x"]), ("up", ["job"])]


@needs_prometheus
@pytest.mark.parametrize("arguments", [("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")])
def test_promtool_agrees(arguments):
    done = subprocess.run(
        ["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_an_action_and_a_test_in_which_it_fires():
    tests = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    alerts = {rule["alert"]: rule for rule in RULES if "alert" in rule}
    assert fired == set(alerts)
    for alert in alerts.values():
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert {"summary", "action"} <= set(alert["annotations"])


def test_panels_have_unique_ids_and_do_not_overlap():
    taken, ids = set(), [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


@contextmanager
def watching(stack, folder):
    """The real Prometheus with the project's own configuration and the targets of `stack`."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    option = next(word for word in stack.triton.cmdline() if word.startswith("--metrics-port="))
    targets = {"proxy": stack.url.removeprefix("http://"), "triton": f"127.0.0.1:{option.split('=')[1]}"}
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [targets[job["job_name"]]]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(PROMETHEUS / "rules.yml", folder)
    (port,) = free_ports(1)
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={folder / 'prometheus.yml'}",
             f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=10) as client:
            yield Prometheus(client)
    finally:
        process.terminate()
        process.wait(20)


class Prometheus:
    def __init__(self, client):
        self._client = client

    def get(self, path, **parameters):
        response = self._client.get(path, params=parameters)
        if response.status_code == 503:  # it does not serve yet
            response.raise_for_status()
        answer = response.json()
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]

    def query(self, expression):
        return self.get("/query", query=expression)["result"]

    def wait_for(self, condition, within=60):
        deadline = time.monotonic() + within
        while True:
            try:
                if condition(self):
                    return
            except httpx.HTTPError:
                pass
            assert time.monotonic() < deadline, "not in time"
            time.sleep(0.5)


def use(stack):
    """Send a capture, a keyframe, and a keyframe without a render. Seeds differ, so no answer is cached."""
    frame, render = ((PICTURES / name).read_bytes() for name in ("camera_frame.jpg", "jacket_render.png"))
    form = {"user_image": frame, "jacket_render": render}
    answer = httpx.post(f"{stack.url}/virtual-tryon", files=form, data={"steps": "2"}, timeout=60)
    assert answer.status_code == 200
    with connect(stack.url.replace("http", "ws") + "/ws", max_size=None) as socket:
        for jacket in (base64.b64encode(render).decode(), None):
            message = {"type": "keyframe", "timestamp": 1, "seed": time.monotonic_ns() % 2**31, "pose": None}
            message |= {"camera_frame": base64.b64encode(frame).decode(), "jacket_render": jacket}
            socket.send(json.dumps(message))
            assert json.loads(socket.recv())["type"] == "keyframe_result"


@pytest.fixture(scope="module")
def prometheus(stack, tmp_path_factory):
    """A Prometheus that has scraped the stack during some requests."""
    with watching(stack, tmp_path_factory.mktemp("prometheus")) as prometheus:
        prometheus.wait_for(lambda p: len(p.query("up == 1")) == 2)
        use(stack)
        prometheus.wait_for(lambda p: p.query('lucy_keyframes_total{reason="no_garment"}'))
        use(stack)
        prometheus.wait_for(lambda p: p.query('increase(lucy_keyframes_total{reason="no_garment"}[1m]) > 0'))
        yield prometheus


@needs_prometheus
def test_both_targets_are_up_and_every_rule_is_evaluated(prometheus):
    targets = prometheus.get("/targets")["activeTargets"]
    assert {(target["labels"]["job"], target["health"]) for target in targets} == {
        ("proxy", "up"),
        ("triton", "up"),
    }
    prometheus.wait_for(
        lambda p: all(rule["health"] == "ok" for rule in p.get("/rules")["groups"][0]["rules"])
    )
    assert len(prometheus.get("/rules")["groups"][0]["rules"]) == len(RULES)
    assert not [alert for alert in prometheus.get("/alerts")["alerts"] if alert["state"] == "firing"]


@needs_prometheus
def test_every_metric_of_the_rules_and_the_dashboard_is_scraped(prometheus):
    """A renamed metric leaves an alert that never fires, without any error."""
    known = set(prometheus.get("/label/__name__/values")) | {rule.get("record") for rule in RULES}
    asked = [rule["expr"] for rule in RULES] + [query for _, query in queries()]
    wanted = {metric for query in [*asked, *scaling_queries()] for metric in metrics(query)}
    assert wanted - known == ELSEWHERE
    for query in asked:
        for metric, labels in selectors(query):
            if metric not in ELSEWHERE:
                for label in labels:
                    assert prometheus.query(f'{metric}{{{label}!=""}}'), f"{metric} has no label {label}"


@needs_prometheus
def test_every_panel_shows_data(prometheus):
    silent = {title for title, query in queries() if not prometheus.query(query)}
    elsewhere = {title for title, query in queries() if metrics(query) <= ELSEWHERE}
    assert silent <= FAULTLESS | elsewhere
