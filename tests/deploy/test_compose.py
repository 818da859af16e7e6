"""docker-compose.yml: no Docker runs here, so each name in it is looked up where it is defined."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from export.__main__ import parser as export_parser
from export.profiles import PROFILES
from frontend_proxy.settings import Settings
from serving.settings import ServingSettings
from serving.triton_server import TritonServer
from tests.deploy.compose import COMPOSE, ROOT, SERVICES, container_environment, filled
from tests.deploy.dockerfiles import instructions

SCHEMA = json.loads((ROOT / "tests" / "data" / "compose-spec" / "compose-spec.json").read_text())
EXAMPLE = dict(re.findall(r"^([A-Z][A-Z0-9_]*)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
# Settings that Compose decides, and why the host's value must not reach the container.
DECIDED_HERE = {
    "HOST": "the container's network",
    "PORT": "published by `ports`",
    "TRITON_URL": "the service triton",
    "TRITON_STATE_FILE": "set by `make serve`",
    "TRITON_GRPC_PORT": "of `make serve`",
    "TRITON_HTTP_PORT": "of `make serve`",
    "TRITON_METRICS_PORT": "of `make serve`",
    "CPU_RUNTIME": "read by Triton",
    "TENSOR_MEMORY": "read by Triton",
    "GPU_RUNTIME": "of `make serve`",
    "GPU_DEVICE": "of `make serve`",
    "CUDA_GRAPHS": "of `make serve`",
    "CATALOG_DIR": "in the volume data",
    "RESULTS_DIR": "in the volume data",
}


@pytest.fixture
def server(tmp_path):
    (tmp_path / "manifest.json").write_text('{"stages": {}}')
    for ensemble in ("encode", "decode"):
        shutil.copytree(ROOT / "model_repository" / ensemble, tmp_path / ensemble)
    return TritonServer(tmp_path, "cpu", 8001, None, 8002, tmp_path)


def test_it_is_valid_by_the_compose_specification():
    jsonschema_rs.validator_for(SCHEMA).validate(COMPOSE)


def test_the_schema_finds_a_fault():
    broken = COMPOSE | {"services": SERVICES | {"proxy": SERVICES["proxy"] | {"port": ["5000"]}}}
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validator_for(SCHEMA).validate(broken)


def test_each_profile_has_an_export_a_triton_and_a_proxy():
    for profile in ("cpu", "gpu"):
        started = {name.split("-")[0] for name, it in SERVICES.items() if profile in it["profiles"]}
        assert started == {"export", "triton", "proxy"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_rights_that_it_does_not_need(name):
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "healthcheck" in service or service["restart"] == "no"


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_and_files_exist(name):
    service = SERVICES[name]
    assert re.search(r":v?\d+\.\d+\.\d+", service["image"]), "no exact version"
    if "build" in service:
        assert (ROOT / service["build"]["dockerfile"]).exists()
    for volume in service.get("volumes", []):
        source = filled(volume["source"] if isinstance(volume, dict) else volume).split(":")[0]
        if source.startswith((".", "/")):
            assert (ROOT / source).exists()
        else:
            assert source in COMPOSE["volumes"]
    for network in service["networks"]:
        assert network in COMPOSE["networks"]
    for other in service.get("depends_on", {}):
        assert set(service["profiles"]) <= set(SERVICES[other]["profiles"])


@pytest.mark.parametrize("name", [name for name in SERVICES if name.startswith("export")])
def test_the_export_accepts_its_arguments_and_the_checkpoint_is_mounted(name):
    args = export_parser().parse_args([filled(word) for word in SERVICES[name]["command"]])
    assert args.profile in SERVICES[name]["profiles"]
    host, inside, _ = next(filled(v) for v in SERVICES[name]["volumes"] if "/checkpoints" in v).split(":")
    assert (ROOT / args.checkpoint.replace(inside, host, 1) / "model_index.json").exists()


def exported(name, **environment):
    words = [filled(word, environment) for word in SERVICES[name]["command"]]
    return export_parser().parse_args(words)


def test_the_exports_variables_reach_it():
    """WORKSPACE_GB, ENGINES and PRECISION of the shell or .env once stayed outside of the container."""
    given = exported(
        "export-gpu",
        PRECISION="fp32",
        LORAS="a:1",
        ENGINES="0",
        REFIT="1",
        WORKSPACE_GB="2.5",
        CHECKPOINT="x",
    )
    assert (given.precision, given.loras, given.engines, given.refit) == ("fp32", "a:1", 0, 1)
    assert (given.workspace_gb, given.checkpoint) == (2.5, "x")
    assert exported("export", PRECISION="fp16").precision == "fp16"


def test_without_variables_the_export_does_what_make_export_does():
    for name in ("export", "export-gpu"):
        ours = exported(name)
        default = PROFILES[ours.profile]
        assert (ours.precision, ours.loras, ours.refit) == (default.precision, "", 0)
        assert not ours.workspace_gb, "0 is all of the GPU's memory"
    assert exported("export-gpu").engines == 1, "an image with TensorRT on a GPU must build engines"


def test_the_export_knows_with_which_configuration_triton_will_run():
    """TRITON_CONFIG=onnx needs no engines; the image's entry point then leaves them out."""
    for config in ("gpu", "onnx"):
        environment = {"TRITON_CONFIG": config}
        options = [filled(word, environment) for word in SERVICES["triton-gpu"]["command"]]
        assert f"--model-config-name={config}" in options
        assert container_environment("export-gpu", environment)["TRITON_CONFIG"] == config


@pytest.mark.parametrize("name", [name for name in SERVICES if name.startswith("export")])
def test_the_exports_caches_are_in_a_volume(name):
    """Its home folder is read-only, so downloads from the hub and TensorRT's timings need another place."""
    volumes = [filled(volume).split(":")[1] for volume in SERVICES[name]["volumes"]]
    for variable in ("HF_HOME", "XDG_CACHE_HOME"):
        assert SERVICES[name]["environment"][variable] in volumes


@pytest.mark.parametrize("name", [name for name in SERVICES if name.startswith("triton")])
def test_triton_knows_every_option_and_has_no_http(name):
    """The real binary, the one in the wheel, is asked."""
    package = Path(importlib.util.find_spec("pytriton").submodule_search_locations[0])
    binary = package / "tritonserver" / "bin" / "tritonserver"
    help_text = subprocess.run([binary, "--help"], capture_output=True, text=True, timeout=60)
    program, *options = [filled(word) for word in SERVICES[name]["command"]]
    assert program == "tritonserver"
    assert "--allow-http=false" in options
    for option in options:
        assert re.search(rf"{option.split('=')[0]}( <|$)", help_text.stdout + help_text.stderr, re.M), option
    assert SERVICES[name]["healthcheck"]["test"][1:] == ["python3", "-m", "serving.ready", "8001"]


def test_every_setting_of_env_example_reaches_its_container():
    """Somebody who set only JWT_SECRET once served everyone: Compose did not pass it."""
    values = {name: f"value of {name}" for name in EXAMPLE}
    passed = container_environment("proxy", values)
    for name in EXAMPLE.keys() - DECIDED_HERE.keys():
        if name.endswith("_FILE"):
            assert passed[name].startswith("/run/lucy/"), name
        else:
            assert passed[name] == f"value of {name}", name
    for name in DECIDED_HERE:
        assert passed.get(name) != f"value of {name}", name
    assert container_environment("triton", values)["CPU_RUNTIME"] == "value of CPU_RUNTIME"
    assert container_environment("triton-gpu", values)["TENSOR_MEMORY"] == "value of TENSOR_MEMORY"
    assert set(EXAMPLE) == {name.upper() for name in ServingSettings.model_fields}


def test_a_file_of_keys_is_mounted_where_its_setting_points(tmp_path):
    (tmp_path / "keys").write_text("a-key\n")
    files = [name for name in EXAMPLE if name.endswith("_FILE") and name not in DECIDED_HERE]
    environment = dict.fromkeys(files, str(tmp_path / "keys"))
    passed = container_environment("proxy", environment)
    mounts = [it for it in SERVICES["proxy"]["volumes"] if isinstance(it, dict)]
    mounted = {it["target"]: filled(it["source"], environment) for it in mounts}
    assert {passed[name]: environment[name] for name in files} == mounted
    assert all(it["read_only"] for it in mounts)


def test_an_unset_setting_keeps_its_default(monkeypatch):
    for name in EXAMPLE:
        monkeypatch.delenv(name, raising=False)
    for name, value in container_environment("proxy", {}).items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    with monkeypatch.context() as patch:
        for name in container_environment("proxy", {}):
            patch.delenv(name)
        defaults = Settings(_env_file=None)
    decided = {"triton_url", "log_format"}
    assert settings.model_dump(exclude=decided) == defaults.model_dump(exclude=decided)
    assert settings.api_keys_file is None
    assert settings.jwt_secret is None


def test_the_proxy_finds_triton():
    environment = SERVICES["proxy"]["environment"]
    of_buckets = {name for name in environment if name.startswith("AWS_")}  # read by obstore
    assert not any(environment[name] for name in of_buckets), "an empty key is not an unset key"
    host, port = environment["TRITON_URL"].split(":")
    assert port == "8001"
    for name in ("triton", "triton-gpu"):
        assert host in SERVICES[name]["networks"]["inside"]["aliases"]
    assert "5000" in SERVICES["proxy"]["ports"][0]


def test_health_checks_do_not_obey_http_proxy():
    """Docker's client configuration can set it in every container, and urllib obeys it."""
    for service in SERVICES.values():
        assert "urllib" not in str(service.get("healthcheck"))


def test_the_proxys_health_check_compiles():
    compile(SERVICES["proxy"]["healthcheck"]["test"][-1], "healthcheck", "exec")


@pytest.mark.parametrize("name", [name for name in SERVICES if name.startswith("triton")])
def test_triton_neither_changes_the_configurations_nor_waits_for_threads(name):
    """Auto-complete left CUDA graphs for 1 and 16 rows alone, and 64 MB of the GPU did not hold its tensors.

    Kubernetes, KServe, systemd and `make serve` are compared with these options elsewhere.
    """
    given = [filled(word) for word in SERVICES[name]["command"]]
    assert "--disable-auto-complete-config" in given
    assert "--backend-config=python,thread-pool-size=64" in given
    if name == "triton-gpu":
        assert "--rate-limit=execution_count" in given
        (pool,) = [word.split(":")[1] for word in given if word.startswith("--cuda-memory-pool-byte-size=0:")]
        assert int(pool) >= 512 << 20


@pytest.mark.parametrize("password", ["", "a good one"])
def test_grafana_has_no_default_password(tmp_path, password):
    """The entry point runs in a real shell, with a stand-in for Grafana."""
    variable = container_environment("grafana", {"GRAFANA_PASSWORD": password} if password else {})
    (tmp_path / "run.sh").write_text("#!/bin/sh\necho started\n")
    (tmp_path / "run.sh").chmod(0o755)
    program, option, script = (filled(word) for word in SERVICES["grafana"]["entrypoint"])
    done = subprocess.run(
        [program, option, script.replace("/run.sh", str(tmp_path / "run.sh"))],
        env={**os.environ, **variable}, capture_output=True, text=True,
    )  # fmt: skip
    if password:
        assert variable["GF_SECURITY_ADMIN_PASSWORD"] == password
        assert done.stdout == "started\n"
    else:
        assert (done.returncode, done.stdout) == (1, "")
        assert "set GRAFANA_PASSWORD" in done.stderr


def test_the_supervisor_and_compose_give_triton_the_same_limits(server):
    """Two places start Triton; a region of shared memory that is too small stalls only in one of them."""
    ours = set(server.command())
    for option in SERVICES["triton"]["command"]:
        if option.startswith(("--disable", "--backend-config", "--allow-http")):
            assert option in ours


def test_the_supervisor_and_the_image_give_glibc_the_same_settings(server, monkeypatch):
    """Compose, Kubernetes and systemd's container use the image, `make serve` uses the supervisor."""
    for name in [name for name in os.environ if name.startswith("MALLOC_")]:
        monkeypatch.delenv(name)
    expected = {f"{k}={v}" for k, v in server.environment().items() if k.startswith("MALLOC_")}
    lines = instructions("deploy/docker/triton.Dockerfile")
    given = {word for instruction, rest in lines if instruction == "ENV" for word in rest.split()}
    assert expected
    assert expected <= given


def test_prometheus_scrapes_services_that_exist():
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    for job in config["scrape_configs"]:
        for target in job["static_configs"][0]["targets"]:
            assert target.split(":")[0] in {*SERVICES, "triton"}
    grafana = yaml.safe_load((ROOT / "deploy" / "grafana" / "datasource.yml").read_text())
    assert grafana["datasources"][0]["url"].startswith("http://prometheus:")
