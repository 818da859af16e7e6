"""The Tritons and exports of deploy/kubernetes: options, probes, time to end, and engines."""

import importlib.util
import re
import subprocess
from pathlib import Path

import grpc

from export.__main__ import parser as export_parser
from serving.models import python_processes, served_models
from tests.deploy.kubernetes import (
    COMPOSE,
    OVERLAYS,
    ROOT,
    build,
    inside,
    named,
    needs_kubectl,
    of_kind,
    pods,
)
from tests.repository import prepared_repository

pytestmark = needs_kubectl


def tritons():
    for overlay in OVERLAYS:
        for name, labels, pod in pods(build(overlay)):
            if labels["app.kubernetes.io/name"] == "triton":
                yield f"{overlay}: {name}", pod


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
            known = re.search(rf"{word.split('=')[0]}( <|$)", help_text.stdout + help_text.stderr, re.M)
            assert known, (name, word)


def test_triton_has_composes_options_and_time_to_end():
    for name, pod in tritons():
        given = options(pod)
        profile = given["--model-config-name"]
        compose = COMPOSE["triton" if profile == "cpu" else "triton-gpu"]["command"]
        ours = set(pod["containers"][0]["args"])
        assert {
            o
            for o in compose
            if o.startswith(("--disable", "--backend-c", "--rate", "--pinned", "--cuda", "--allow-http"))
        } <= ours
        hook = next(inside(pod, "preStop"), {"sleep": {"seconds": 0}})
        seconds = hook["sleep"]["seconds"] + int(given["--exit-timeout-secs"])
        assert pod["terminationGracePeriodSeconds"] > seconds, name
        (command,) = inside(pod["containers"][0]["livenessProbe"], "command")
        assert '-ge "$(cat /tmp/python-models)"' in command[-1], name
        assert "/tmp" in {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}, name
        if profile == "gpu":
            assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
            assert pod["nodeSelector"]["nvidia.com/gpu.product"]


def test_the_liveness_probe_counts_the_processes_that_run(stack):
    stubs = [
        child for child in stack.triton.children() if child.exe().endswith("/triton_python_backend_stub")
    ]
    repository = prepared_repository()
    assert len(stubs) == python_processes(repository, served_models(repository), "cpu")


def exports():
    """(name, pod, its init container that exports) of each Triton."""
    for name, pod in tritons():
        [container] = pod["initContainers"]
        yield name, pod, container


def test_a_tritons_own_init_container_exports_what_it_serves():
    """With one GPU, a Job that builds engines waits for the GPU that the waiting Triton has reserved."""
    for overlay in OVERLAYS:
        assert not of_kind(build(overlay), "Job")
    for name, pod, container in exports():
        args = export_parser().parse_args(container["args"])
        assert (ROOT / args.checkpoint.replace("/app", ".", 1) / "model_index.json").exists()
        assert options(pod)["--model-config-name"] == args.profile, name
        if args.profile == "gpu":
            assert args.engines == 1, "without engines this Triton would not start"
            assert container["resources"]["limits"]["nvidia.com/gpu"] == 1, name


def test_the_export_writes_the_volume_that_triton_reads():
    for name, pod, container in exports():
        written = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        claims = {volume["name"]: next(inside(volume, "claimName"), None) for volume in pod["volumes"]}
        if "model" in pod:  # KServe mounts the volume itself
            read = pod["model"]["storageUri"].removeprefix("pvc://")
        else:
            mounts = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
            assert mounts["/models"]["readOnly"]
            read = claims[mounts["/models"]["name"]]
        assert claims[written["/models"]] == read, name
        variables = {it["name"]: it.get("value") for it in container["env"]}
        for cache in ("HF_HOME", "XDG_CACHE_HOME"):
            claim = claims[written[variables[cache]]]
            assert claim, f"{name}: an emptyDir would lose downloads and timings"


def test_volumes_that_several_nodes_write_are_shared():
    for overlay in OVERLAYS:
        documents = build(overlay)
        for _, _, pod in pods(documents):
            for claim in inside(pod.get("volumes", []), "claimName"):
                assert named(documents, "PersistentVolumeClaim", claim)["spec"]["accessModes"] == [
                    "ReadWriteMany"
                ]


def test_a_node_of_four_virtual_cores_has_room():
    """Such a node, g6.xlarge for instance, leaves 3.92 to its Pods. Init containers run before the others."""
    for name, pod in tritons():
        for together in (pod["containers"], *([it] for it in pod["initContainers"])):
            assert sum(float(it["resources"]["requests"]["cpu"]) for it in together) <= 3.5, name


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
