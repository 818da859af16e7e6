"""The Tritons and exports of deploy/kubernetes: options, probes, time to end, and engines."""

import importlib.util
import subprocess
from pathlib import Path

import grpc
import pytest

from export.__main__ import parser as export_parser
from serving.model_config import read_model_config
from tests.deploy.kubernetes import (
    COMPOSE,
    OVERLAYS,
    ROOT,
    build,
    inside,
    needs_kubectl,
    of_kind,
    pods,
)

pytestmark = needs_kubectl


def tritons():
    for overlay in OVERLAYS:
        for name, labels, pod in pods(build(overlay)):
            if labels["app.kubernetes.io/name"] == "triton":
                yield f"{overlay}: {name}", pod


def python_instances(profile):
    """The processes of Python models that Triton starts with a profile's configurations."""
    models = [path.parent for path in (ROOT / "model_repository").glob("*/config.pbtxt")]
    configs = [read_model_config(model, profile) for model in models if model.name != "unet_fast"]
    return sum(
        group.count for config in configs if config.backend == "python" for group in config.instance_group
    )


def options(pod):
    return dict(word.split("=", 1) for word in pod["containers"][0]["args"] if "=" in word)


def test_triton_knows_every_option():
    """The real binary, the one in the wheel, is asked."""
    package = Path(importlib.util.find_spec("pytriton").submodule_search_locations[0])
    binary = package / "tritonserver" / "bin" / "tritonserver"
    help_text = subprocess.run([binary, "--help"], capture_output=True, text=True, timeout=60)
    for name, pod in tritons():
        program, *words = pod["containers"][0]["args"]
        assert program == "tritonserver"
        for word in words:
            assert f"{word.split('=')[0]} <" in help_text.stdout + help_text.stderr, (name, word)


def test_triton_has_composes_options_and_time_to_end():
    for name, pod in tritons():
        given = options(pod)
        profile = given["--model-config-name"]
        compose = COMPOSE["triton" if profile == "cpu" else "triton-gpu"]["command"]
        ours = set(pod["containers"][0]["args"])
        assert {
            o
            for o in compose
            if o.startswith(("--cache-c", "--backend-c", "--rate", "--pinned", "--allow-http"))
        } <= ours
        hook = next(inside(pod, "preStop"), {"sleep": {"seconds": 0}})
        seconds = hook["sleep"]["seconds"] + int(given["--exit-timeout-secs"])
        assert pod["terminationGracePeriodSeconds"] > seconds, name
        (command,) = inside(pod["containers"][0]["livenessProbe"], "command")
        assert f"-ge {python_instances(profile)}" in command[-1], name
        if profile == "gpu":
            assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
            assert pod["nodeSelector"]["nvidia.com/gpu.product"]


def test_the_liveness_probe_counts_the_processes_that_run(stack):
    stubs = [
        child for child in stack.triton.children() if child.exe().endswith("/triton_python_backend_stub")
    ]
    assert len(stubs) == python_instances("cpu")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_export_fills_the_volume_that_its_tritons_read(overlay):
    documents = build(overlay)
    readers = {}
    for name, labels, pod in pods(documents):
        if labels["app.kubernetes.io/name"] == "triton":
            claim = next(inside(pod.get("volumes", []), "claimName"), None)
            readers[claim or pod["model"]["storageUri"].removeprefix("pvc://")] = (name, pod)
    for job in of_kind(documents, "Job"):
        pod = job["spec"]["template"]["spec"]
        args = export_parser().parse_args(pod["containers"][0]["args"])
        assert (ROOT / args.checkpoint.replace("/app", ".", 1) / "model_index.json").exists()
        name, reader = readers.pop(next(inside(pod["volumes"], "claimName")))
        assert options(reader)["--model-config-name"] == args.profile, name
        assert pod.get("nodeSelector") == reader.get("nodeSelector"), "engines fit the GPUs they are built on"
    assert not readers


def test_probes_use_grpc_since_there_is_no_http():
    for name, pod in tritons():
        assert options(pod)["--allow-http"] == "false", name
        ports = {port["name"]: port["containerPort"] for port in pod["containers"][0]["ports"]}
        assert set(ports) == {"grpc", "metrics"}
        for probe in ("startupProbe", "readinessProbe"):
            assert pod["containers"][0][probe]["grpc"]["port"] == ports["grpc"], name


def test_triton_answers_the_grpc_probe_of_kubernetes(stack):
    """The kubelet calls grpc.health.v1.Health/Check; 1 is SERVING."""
    with grpc.insecure_channel(stack.triton_grpc, options=[("grpc.enable_http_proxy", 0)]) as channel:
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=10) == b"\x08\x01"
