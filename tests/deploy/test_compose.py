"""docker-compose.yml: no Docker runs here, so what it names is looked up where it must be."""

import importlib.util
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from export.__main__ import parser as export_parser
from frontend_proxy.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "tests" / "data" / "compose-spec" / "compose-spec.json").read_text())
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]


def filled(value):
    """`${NAME:-default}` replaced by its default, as Compose does without an environment."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def instructions(dockerfile):
    """(instruction, rest) of each line of a Dockerfile, continued lines joined."""
    text = re.sub(r"\\\n", " ", (ROOT / dockerfile).read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


DOCKERFILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("deploy/docker/*.Dockerfile"))


def test_it_is_as_the_compose_specification_says():
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
def test_images_are_pinned_and_files_are_there(name):
    service = SERVICES[name]
    assert re.search(r":v?\d+\.\d+\.\d+", service["image"]), "no exact version"
    if "build" in service:
        assert (ROOT / service["build"]["dockerfile"]).exists()
    for volume in service.get("volumes", []):
        source = filled(volume).split(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
    for network in service["networks"]:
        assert network in COMPOSE["networks"]
    for other in service.get("depends_on", {}):
        assert set(service["profiles"]) <= set(SERVICES[other]["profiles"])


@pytest.mark.parametrize("name", [name for name in SERVICES if name.startswith("export")])
def test_the_export_takes_its_arguments_and_the_checkpoint_is_mounted(name):
    args = export_parser().parse_args([filled(word) for word in SERVICES[name]["command"]])
    assert args.profile in SERVICES[name]["profiles"]
    host, inside, _ = next(filled(v) for v in SERVICES[name]["volumes"] if "/checkpoints" in v).split(":")
    assert (ROOT / args.checkpoint.replace(inside, host, 1) / "model_index.json").exists()


@pytest.mark.parametrize("name", [name for name in SERVICES if name.startswith("export")])
def test_what_the_export_keeps_lies_in_a_volume(name):
    """Its home folder is read-only, and is no place for the hub's downloads and TensorRT's timings."""
    volumes = [filled(volume).split(":")[1] for volume in SERVICES[name]["volumes"]]
    for variable in ("HF_HOME", "XDG_CACHE_HOME"):
        assert SERVICES[name]["environment"][variable] in volumes


@pytest.mark.parametrize("name", [name for name in SERVICES if name.startswith("triton")])
def test_triton_knows_every_option(name):
    """Asked of the real binary, the one in the wheel."""
    package = Path(importlib.util.find_spec("pytriton").submodule_search_locations[0])
    binary = package / "tritonserver" / "bin" / "tritonserver"
    told = subprocess.run([binary, "--help"], capture_output=True, text=True, timeout=60)
    program, *options = [filled(word) for word in SERVICES[name]["command"]]
    assert program == "tritonserver"
    for option in options:
        assert f"{option.split('=')[0]} <" in told.stdout + told.stderr, option


def test_the_proxy_takes_every_setting_and_finds_triton():
    settings = SERVICES["proxy"]["environment"]
    of_buckets = {name for name in settings if name.startswith("AWS_")}  # obstore's
    assert not any(settings[name] for name in of_buckets), "an empty key is another than none"
    assert {name.lower() for name in settings.keys() - of_buckets} <= set(Settings.model_fields)
    host, port = settings["TRITON_URL"].split(":")
    assert port == "8001"
    for name in ("triton", "triton-gpu"):
        assert host in SERVICES[name]["networks"]["inside"]["aliases"]
    assert "5000" in SERVICES["proxy"]["ports"][0]


def test_the_supervisor_and_compose_tell_triton_the_same_limits():
    """Two places start Triton; a region of shared memory that is too small in one stalls only there."""
    from serving.triton_server import TritonServer

    server = TritonServer(Path("/models"), "cpu", 8001, 8000, 8002, ROOT / "build" / "tests" / "compose")
    ours = set(server.command())
    for option in SERVICES["triton"]["command"]:
        if option.startswith(("--cache-config", "--backend-config")):
            assert option in ours


def test_the_supervisor_and_the_image_tell_glibc_the_same(monkeypatch):
    """Compose, Kubernetes and systemd's container run the image, `make serve` the supervisor."""
    from serving.triton_server import TritonServer

    for name in [name for name in os.environ if name.startswith("MALLOC_")]:
        monkeypatch.delenv(name)
    server = TritonServer(Path("/models"), "cpu", 8001, 8000, 8002, ROOT / "build" / "tests" / "compose")
    wanted = {f"{k}={v}" for k, v in server.environment().items() if k.startswith("MALLOC_")}
    lines = instructions("deploy/docker/triton.Dockerfile")
    given = {word for instruction, rest in lines if instruction == "ENV" for word in rest.split()}
    assert wanted
    assert wanted <= given


def test_prometheus_asks_services_that_are_there():
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    for job in config["scrape_configs"]:
        for target in job["static_configs"][0]["targets"]:
            assert target.split(":")[0] in {*SERVICES, "triton"}
    grafana = yaml.safe_load((ROOT / "deploy" / "grafana" / "datasource.yml").read_text())
    assert grafana["datasources"][0]["url"].startswith("http://prometheus:")


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_a_dockerfile_copies_what_is_there_runs_as_nobody_and_is_pinned(dockerfile):
    stages, users = set(), []
    arguments = dict(
        rest.split("=") for word, rest in instructions(dockerfile) if word == "ARG" and "=" in rest
    )
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for instruction, rest in instructions(dockerfile):
        words = shlex.split(rest)
        if instruction == "FROM":
            image = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], words[0])
            assert re.search(r":\d+\.\d+", image), "no version"
            stages |= set(words[2:])
        elif instruction == "COPY" and words[0].startswith("--from"):
            assert words[0].removeprefix("--from=") in stages
        elif instruction == "COPY":
            for source in [word for word in words if not word.startswith("--")][:-1]:
                assert (ROOT / source).exists(), source
                assert any(f"!{part}" in ignored for part in (source, *map(str, Path(source).parents)))
        elif instruction == "USER":
            users.append(rest)
    assert users, "it would run as root"
    assert users[-1] != "root"


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_what_a_dockerfile_installs_is_pinned(dockerfile):
    locked = {
        line.split("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line
    }
    for instruction, rest in instructions(dockerfile):
        for command in re.findall(r"pip install ([^&]*)", rest) if instruction == "RUN" else []:
            for word in shlex.split(command):
                named = re.fullmatch(r"[a-z][\w-]+", word.split("==")[0])
                if named and word not in ("install",):
                    assert "==" in word or word in locked, f"{word} has no version"


def test_the_image_finds_the_modules_that_it_starts():
    words = [shlex.split(rest) for _, rest in instructions("deploy/docker/proxy.Dockerfile")][-1]
    assert words == ["[python,", "-m,", "frontend_proxy]"]
    assert importlib.util.find_spec("frontend_proxy.__main__")
    assert "python3 -m export" in (ROOT / "deploy" / "docker" / "entrypoint.sh").read_text()
