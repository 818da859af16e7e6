"""The documents of deploy/kubernetes as Kustomize builds them, and ways to look things up in them."""

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
SCHEMAS = json.loads((ROOT / "tests" / "data" / "kubernetes" / "schemas.json").read_text())
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
WORKLOADS = ("Deployment", "StatefulSet", "Job")

needs_kubectl = pytest.mark.skipif(
    not shutil.which("kubectl"), reason="kubectl is not installed: its Kustomize builds what is tested"
)


@functools.cache
def build(overlay):
    """The documents of an overlay, as `kubectl apply -k` would send them."""
    return rendered(KUBERNETES / "overlays" / overlay)


def rendered(folder):
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of_kind(documents, *kinds):
    return [document for document in documents if document["kind"] in kinds]


def named(documents, kind, name):
    return next(it for it in of_kind(documents, kind) if it["metadata"]["name"] == name)


def pods(documents):
    """(name, labels, pod spec) of everything that starts pods; KServe's pods are assembled as KServe does."""
    for workload in of_kind(documents, *WORKLOADS):
        template = workload["spec"]["template"]
        yield workload["metadata"]["name"], template["metadata"]["labels"], template["spec"]
    for service in of_kind(documents, "InferenceService"):
        predictor = service["spec"]["predictor"]
        runtime = named(documents, "ServingRuntime", predictor["model"]["runtime"])["spec"]
        volumes = [*runtime.get("volumes", []), *predictor.get("volumes", [])]  # merged by name
        yield service["metadata"]["name"], predictor["labels"], {**runtime, **predictor, "volumes": volumes}


def containers(pod):
    return [*pod.get("initContainers", []), *pod["containers"]]


def selected(documents, selector):
    wanted = selector.get("matchLabels", {}) if "matchLabels" in selector or not selector else selector
    return [(name, pod) for name, labels, pod in pods(documents) if wanted.items() <= labels.items()]


def port_names(pod):
    return {port["name"] for container in pod["containers"] for port in container.get("ports", [])}


def inside(value, key):
    """Every value under `key`, at any depth."""
    if isinstance(value, list):
        for one in value:
            yield from inside(one, key)
    elif isinstance(value, dict):
        for name, one in value.items():
            if name == key:
                yield one
            yield from inside(one, key)


def check(document):
    """Raises ValidationError if the cluster would refuse `document`, or drop a field of it."""
    kind = f"{document['apiVersion']}/{document['kind']}"
    schema = {"$ref": f"#/$defs/{SCHEMAS['kinds'][kind]}", "$defs": SCHEMAS["$defs"]}
    jsonschema_rs.validator_for(schema).validate(document)


def with_component(folder, name):
    """The documents of the overlay cpu with one more component."""

    def path(part):
        return os.path.relpath(KUBERNETES / part, folder)

    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [path("overlays/cpu")],
        "components": [path(f"components/{name}")],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return rendered(folder)
