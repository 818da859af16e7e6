"""deploy/kubernetes: no cluster runs here, so each name in a manifest is looked up where it is defined."""

import json
import re

import jsonschema_rs
import pytest
import yaml

from frontend_proxy.settings import Settings
from tests.deploy.kubernetes import (
    COMPOSE,
    OVERLAYS,
    ROOT,
    build,
    check,
    containers,
    inside,
    named,
    needs_kubectl,
    of_kind,
    pods,
    port_names,
    selected,
    with_component,
)
from tests.deploy.memory import memory_of_a_proxy

pytestmark = needs_kubectl
MADE_ELSEWHERE = {"proxy-secrets", "hub-token"}  # Secrets that deploy/README.md explains


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_document_is_as_its_schema_says(overlay):
    for document in build(overlay):
        check(document)


def test_with_a_bucket_the_proxies_share_no_volume(tmp_path):
    documents = with_component(tmp_path, "bucket")
    for document in documents:
        check(document)
    claims = [claim["metadata"]["name"] for claim in of_kind(documents, "PersistentVolumeClaim")]
    assert set(claims) == {"models-cpu", "hub-cpu"}
    pod = named(documents, "Deployment", "proxy")["spec"]["template"]["spec"]
    assert not list(inside(pod["volumes"], "persistentVolumeClaim"))
    (data,) = (volume for volume in pod["volumes"] if volume["name"] == "data")
    assert "emptyDir" in data
    reference = pod["containers"][0]["envFrom"][0]["configMapRef"]["name"]
    variables = named(documents, "ConfigMap", reference)["data"]
    ours = {name.lower(): value for name, value in variables.items() if not name.startswith("AWS_")}
    settings = Settings(_env_file=None, **ours)
    assert settings.results_url
    assert settings.catalog_url
    assert settings.redis_url, "the others' settings stay"


def test_the_ingress_variant_is_as_its_schema_says(tmp_path):
    documents = with_component(tmp_path, "ingress")
    (ingress,) = of_kind(documents, "Ingress")
    check(ingress)
    for backend in inside(ingress, "backend"):
        service = named(documents, "Service", backend["service"]["name"])
        assert backend["service"]["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}


@pytest.mark.parametrize(
    "kind", ["Deployment", "ScaledObject", "ServiceMonitor", "HTTPRoute", "PrometheusRule"]
)
def test_the_schemas_find_a_field_that_is_not_there(kind):
    document = of_kind(build("gpu"), kind)[0]
    with pytest.raises(jsonschema_rs.ValidationError):
        check({**document, "spec": {**document["spec"], "replica": 1}})


def test_the_schemas_find_a_fault_in_kserves_pods():
    (service,) = of_kind(build("kserve"), "InferenceService")
    predictor = {**service["spec"]["predictor"], "nodeSelectors": {}}
    with pytest.raises(jsonschema_rs.ValidationError):
        check({**service, "spec": {"predictor": predictor}})


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_has_no_rights_that_it_does_not_need(overlay):
    for name, _, pod in pods(build(overlay)):
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in containers(pod):
            rights = container["securityContext"]
            assert rights["readOnlyRootFilesystem"]
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_images_are_those_of_compose_and_volumes_are_there(overlay):
    documents = build(overlay)
    claims = {claim["metadata"]["name"] for claim in of_kind(documents, "PersistentVolumeClaim")}
    images = {service["image"] for service in COMPOSE.values()}
    for name, _, pod in pods(documents):
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        for workload in of_kind(documents, "StatefulSet"):
            if workload["metadata"]["name"] == name:
                volumes |= {claim["metadata"]["name"] for claim in workload["spec"]["volumeClaimTemplates"]}
        assert set(inside(pod.get("volumes", []), "claimName")) <= claims
        for container in containers(pod):
            assert container["image"] in images
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes
    for service in of_kind(documents, "InferenceService"):
        assert service["spec"]["predictor"]["model"]["storageUri"].removeprefix("pvc://") in claims


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_config_maps_are_there_and_secrets_are_told_of(overlay):
    documents = build(overlay)
    maps = {it["metadata"]["name"] for it in of_kind(documents, "ConfigMap")}
    readme = (ROOT / "deploy" / "README.md").read_text()
    assert not of_kind(documents, "Secret"), "secrets are not for a repository"
    for _, _, pod in pods(documents):
        for reference in inside(pod, "configMapRef"):
            assert reference["name"] in maps
        for reference in [*inside(pod, "secretRef"), *inside(pod, "secretKeyRef")]:
            assert reference["name"] in MADE_ELSEWHERE
            assert reference["optional"]
            assert f"secret generic {reference['name']}" in readme


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_selector_selects_something_and_ports_have_their_names(overlay):
    documents = build(overlay)
    for service in of_kind(documents, "Service"):
        found = selected(documents, service["spec"]["selector"])
        assert found, service["metadata"]["name"]
        for port in service["spec"]["ports"]:
            assert all(port["targetPort"] in port_names(pod) for _, pod in found)
    for budget in of_kind(documents, "PodDisruptionBudget"):
        assert selected(documents, budget["spec"]["selector"])
    for policy in of_kind(documents, "NetworkPolicy"):
        targets = selected(documents, policy["spec"]["podSelector"])
        assert targets
        for rule in policy["spec"].get("ingress", []):
            for port in rule["ports"]:
                assert all(port["port"] in port_names(pod) for _, pod in targets)
        for rule in policy["spec"].get("egress", []):
            for peer in rule.get("to", []):
                if "namespaceSelector" not in peer:
                    found = selected(documents, peer["podSelector"])
                    assert found
                    for port in rule["ports"]:
                        assert all(port["port"] in port_names(pod) for _, pod in found)
    for _, labels, pod in pods(documents):
        for spread in pod.get("topologySpreadConstraints", []):
            assert spread["labelSelector"]["matchLabels"].items() <= labels.items()
        for probe in inside(pod, "httpGet"):
            assert probe["port"] in port_names(pod)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_scales_watches_or_routes_finds_its_target(overlay):
    documents = build(overlay)
    services = {service["metadata"]["name"]: service for service in of_kind(documents, "Service")}
    for scaler in of_kind(documents, "HorizontalPodAutoscaler", "ScaledObject"):
        target = named(documents, "Deployment", scaler["spec"]["scaleTargetRef"]["name"])
        assert "replicas" not in target["spec"], "each apply would fight the autoscaler"
    for scaler in of_kind(documents, "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]["name"]
        for query in inside(scaler, "query"):
            (pattern,) = set(re.findall(r'pod=~"([^"]*)"', query))
            assert re.fullmatch(pattern, f"{target}-6d4cf56db6-x2x2x")
    for watched in of_kind(documents, "ServiceMonitor", "PrometheusRule"):
        assert "release" in watched["metadata"]["labels"], "kube-prometheus-stack looks at no others"
    for monitor in of_kind(documents, "ServiceMonitor"):
        labels = monitor["spec"]["selector"]["matchLabels"]
        (service,) = (it for it in services.values() if labels.items() <= it["metadata"]["labels"].items())
        ports = {port["name"] for port in service["spec"]["ports"]}
        assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} <= ports
        assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] in ("proxy", "triton")
    for reference in inside(of_kind(documents, "HTTPRoute"), "backendRefs"):
        for backend in reference:
            assert backend["port"] in {port["port"] for port in services[backend["name"]]["spec"]["ports"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_proxy_takes_every_setting_and_ends_within_its_time(overlay, monkeypatch):
    documents = build(overlay)
    pod = named(documents, "Deployment", "proxy")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    reference = container["envFrom"][0]["configMapRef"]["name"]
    variables = named(documents, "ConfigMap", reference)["data"]
    assert {name.lower() for name in variables} <= set(Settings.model_fields)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    (address,) = settings.triton_urls
    host, port = re.fullmatch(r"dns:///([\w-]+):(\d+)", address).groups()
    service = named(documents, "Service", host)
    assert service["spec"]["clusterIP"] == "None", (
        "the proxy shares jobs out among the addresses that it sees"
    )
    assert int(port) in {one["port"] for one in service["spec"]["ports"]}
    assert container["ports"][0]["containerPort"] == settings.port
    assert pod["terminationGracePeriodSeconds"] > settings.shutdown_delay_s + settings.shutdown_timeout_s + 2
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    for folder in (settings.catalog_dir, settings.results_dir):
        assert any(folder.is_relative_to(mount) for mount in mounts), "the root file system is read-only"
    # The autoscaler makes several proxies, and a capture may be asked for at any of them.
    host, port = re.fullmatch(r"redis://([\w-]+):(\d+)", settings.redis_url.get_secret_value()).groups()
    assert int(port) in {one["port"] for one in named(documents, "Service", host)["spec"]["ports"]}
    for route in of_kind(documents, "HTTPRoute"):
        seconds = int(route["spec"]["rules"][-1]["timeouts"]["request"].removesuffix("s"))
        assert seconds > settings.body_timeout_s + settings.capture_timeout_s


def test_keda_keeps_the_jobs_in_flight_that_the_simulation_found():
    """The target was 6 a server, eight times what the simulated GPUs serve within 500 ms."""
    kinds = json.loads((ROOT / "benchmarks" / "results" / "capacity.json").read_text())["table"]["kinds"]
    for scaler in of_kind(build("gpu"), "ScaledObject"):
        gpu = scaler["metadata"]["name"].removeprefix("triton-")
        (fleets,) = (kind["fleets"] for kind in kinds if kind["gpu"].lower().startswith(f"{gpu} "))
        largest = [fleet for fleet in fleets if fleet["simulated"]][-1]
        assert (
            float(scaler["spec"]["triggers"][0]["metadata"]["threshold"]) == largest["jobs_in_flight_a_gpu"]
        )


def test_a_worker_reaches_its_limit_of_memory_before_the_pod_does():
    """The kernel ends all processes of a container whose memory is used up: every socket of the proxy."""
    for overlay in OVERLAYS:
        pod = named(build(overlay), "Deployment", "proxy")["spec"]["template"]["spec"]
        limit = re.fullmatch(r"(\d+)Mi", pod["containers"][0]["resources"]["limits"]["memory"])[1]
        assert int(limit) * 2**20 >= memory_of_a_proxy()


def test_the_proxy_keeps_connections_longer_than_the_load_balancer():
    """Or it sends a request into one that was just closed, and answers 502."""
    base, component = (ROOT / "deploy" / "kubernetes" / name for name in ("base", "components"))
    kept = re.search(r"^KEEP_ALIVE_S=(\d+)$", (base / "proxy-settings.env").read_text(), re.MULTILINE)
    idle = re.search(
        r"idle_timeout\.timeout_seconds=(\d+)", (component / "ingress" / "ingress.yaml").read_text()
    )
    assert int(kept[1]) > int(idle[1])


def test_the_rules_are_those_of_prometheus():
    """The operator wants them inside a document of its own; `make` writes it."""
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yml").read_text())
    assert named(build("gpu"), "PrometheusRule", "lucy")["spec"] == rules, (
        "run `make -B deploy/kubernetes/components/monitoring/rules.yaml`"
    )
