"""deploy/systemd: systemd checks the units, and the real Triton runs under a stand-in for systemd."""

import asyncio
import itertools
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import yaml

from deploy.systemd import triton_service as service
from frontend_proxy.settings import Settings
from serving.triton_server import TritonServer
from tests.deploy.memory import memory_of_a_proxy
from tests.repository import prepared_repository
from tests.stack import free_ports

ROOT = Path(__file__).resolve().parents[2]
UNITS = {path.name: path.read_text() for path in (ROOT / "deploy" / "systemd").glob("*.service")}
# On the scale of `systemd-analyze security`: 10 is no protection, 0 is full protection.
MOST_EXPOSED = {"lucy-triton@.service": 2.0, "lucy-proxy.service": 1.5}

needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed: apt-get install systemd"
)


def section(unit, name):
    """A section of a unit: the values of each directive in order, with continued lines joined."""
    found = {}
    text = re.sub(r"\\\n\s*", "", UNITS[unit])
    for line in text.split(f"[{name}]")[1].split("\n[")[0].splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def environment(unit):
    words = [word for line in section(unit, "Service").get("Environment", []) for word in shlex.split(line)]
    return dict(word.split("=", 1) for word in words)


def verified(folder, units):
    """The messages of `systemd-analyze verify`, with this checkout in the place of /opt/lucy-serve."""
    for name, text in units.items():
        text = text.replace("/opt/lucy-serve/.venv/bin/python", sys.executable)
        text = text.replace("/opt/lucy-serve", str(ROOT)).replace("/usr/bin/docker", "/bin/true")
        (folder / name).write_text(text)
    (folder / "docker.service").write_text("[Service]\nExecStart=/bin/true\n")
    command = ["systemd-analyze", "verify", "--man=no", *(folder / name for name in units)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return "\n".join(line for line in (done.stdout + done.stderr).splitlines() if "lucy" in line)


@needs_systemd
def test_systemd_finds_no_fault(tmp_path):
    assert verified(tmp_path, UNITS) == ""


@needs_systemd
def test_systemd_would_find_one(tmp_path):
    broken = UNITS["lucy-proxy.service"].replace("ProtectHome=yes", "ProtectHomes=yes")
    assert "ProtectHomes" in verified(tmp_path, {"lucy-proxy.service": broken})


@needs_systemd
@pytest.mark.parametrize("unit", MOST_EXPOSED)
def test_a_service_is_hardened(unit):
    path = ROOT / "deploy" / "systemd" / unit
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", path]
    output = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", output)[1])
    assert exposure <= MOST_EXPOSED[unit]


def test_the_proxy_knows_every_setting_and_ends_within_its_time(monkeypatch):
    variables = {k: v for k, v in environment("lucy-proxy.service").items() if k != "PYTHONUNBUFFERED"}
    assert {name.lower() for name in variables} <= set(Settings.model_fields)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    service = section("lucy-proxy.service", "Service")
    assert int(service["TimeoutStopSec"][0]) > settings.shutdown_delay_s + settings.shutdown_timeout_s + 2
    assert int(service["LimitNOFILE"][0]) > settings.max_connections + 500
    for folder in (settings.catalog_dir, settings.results_dir):
        assert folder.is_relative_to(Path("/var/lib") / service["StateDirectory"][0])


def test_a_worker_reaches_its_limit_of_memory_before_the_service_does():
    """systemd ends a service of which one process was killed for want of memory."""
    (limit,) = section("lucy-proxy.service", "Service")["MemoryMax"]
    assert int(limit.removesuffix("M")) * 2**20 >= memory_of_a_proxy()


def test_triton_has_a_private_dev_shm():
    """Triton makes its regions readable by every user, and only the watcher's next look closes them."""
    (mount,) = section("lucy-triton@.service", "Service")["TemporaryFileSystem"]
    assert mount.startswith("/dev/shm:")


def test_the_container_has_the_options_of_compose():
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    service = section("lucy-triton-container@.service", "Service")
    words = shlex.split(service["ExecStart"][0])
    image = compose["services"]["triton-gpu"]["image"]
    ours = words[words.index(image) + 1 :]
    theirs = [
        re.sub(r"\$\{\w+:-(\w+)\}", r"\1", word) for word in compose["services"]["triton-gpu"]["command"]
    ]
    assert sorted(ours) == sorted(theirs)
    [volume] = [volume for volume in compose["volumes"].values() if volume]
    assert f"{volume['name']}:/models:ro" in words, "Compose would call it after the folder of the checkout"
    assert compose["services"]["export-gpu"]["volumes"][0] == "models:/models"


def test_each_gpu_has_a_triton_and_the_proxy_uses_the_first():
    """Two Tritons on one GPU or one port are a fault that appears only on a host with several GPUs."""
    ports = {}
    for number in "01":
        directives = section("lucy-triton@.service", "Service")
        command = shlex.split(directives["ExecStart"][0].replace("%i", number))
        given = dict(itertools.pairwise(command))
        ports[number] = [int(given[f"--{name}-port"]) for name in ("grpc", "metrics")]
        assert f"CUDA_VISIBLE_DEVICES={number}" in directives["Environment"][0].replace("%i", number)
        started = section("lucy-triton-container@.service", "Service")["ExecStart"][0].replace("%i", number)
        inside = (8001, 8002)
        for port, published in zip(ports[number], inside, strict=True):
            assert f"--publish 127.0.0.1:{port}:{published} " in started
        assert f"--gpus device={number} " in started
    assert len({port for found in ports.values() for port in found}) == 4
    assert environment("lucy-proxy.service")["TRITON_URL"] == f"127.0.0.1:{ports['0'][0]}"


@contextmanager
def under_systemd(folder):
    """The watcher as the unit starts it, and a function that waits for one of its notifications."""
    grpc_port, metrics_port = free_ports(2)
    address = folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(address))
        process = subprocess.Popen(
            [sys.executable, "deploy/systemd/triton_service.py", "--repository", prepared_repository(),
             "--profile", "cpu", "--build", folder / "build",
             "--grpc-port", str(grpc_port), "--metrics-port", str(metrics_port)],
            cwd=ROOT,
            env={**os.environ, "NOTIFY_SOCKET": str(address)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

        def hear(wanted, within=120):
            deadline = time.monotonic() + within
            while True:
                channel.settimeout(max(0.1, deadline - time.monotonic()))
                if wanted in channel.recv(4096).decode():
                    return

        try:
            yield process, hear
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


class Triton:
    """In place of a `Child`: it runs, with one process."""

    async def wait(self):
        await asyncio.Event().wait()

    def children(self):
        return {2}


async def test_the_watchdog_is_not_notified_if_a_model_died_while_the_others_loaded(monkeypatch):
    """It was gone when the watcher first looked, and Triton reports it as ready."""
    notified = []

    async def ready(readiness):
        return True

    monkeypatch.setattr(service.TritonReadiness, "server", ready)
    monkeypatch.setattr(service, "notify", notified.append)
    monkeypatch.setattr(TritonServer, "processes", lambda self: 2)
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await service.watch(Triton(), TritonServer(Path(), "cpu", 1, None, 2, Path()))
    assert notified[1:] == ["STATUS=The process of a model died"]


@pytest.mark.nightly
def test_the_watchdog_is_notified_of_a_models_death_and_triton_ends_on_a_signal(tmp_path):
    """Triton itself still reports that it is ready."""
    with under_systemd(tmp_path) as (process, hear):
        hear("READY=1")
        hear("WATCHDOG=1")
        children = psutil.Process(process.pid).children(recursive=True)
        model = next(child for child in children if child.exe().endswith("/triton_python_backend_stub"))
        model.send_signal(signal.SIGKILL)
        hear("STATUS=The process of a model died")
        process.terminate()
        hear("STOPPING=1")
        assert process.wait(30) == 0
        assert not [child for child in children if child.is_running() and child.status() != "zombie"]
