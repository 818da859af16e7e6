"""`make serve` from start to end: readiness, addresses, restarts, and what it leaves behind."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
from pathlib import Path

import grpc
import psutil
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from serving.__main__ import main
from serving.stages.priority import NICENESS
from tests.repository import HAND_WRITTEN, prepared_repository
from tests.stack import DIRECT, free_ports, running_stack


def run_to_its_end(folder, port, *options):
    """Run the command on free ports, for stacks that cannot start."""
    grpc_port, metrics_port = free_ports(2)
    if not options:
        options = (f"--repository={prepared_repository()}",)
    return subprocess.run(
        [sys.executable, "-m", "serving", f"--build={folder}", f"--triton-grpc-port={grpc_port}",
         f"--triton-metrics-port={metrics_port}", *options],
        env={**os.environ, "HOST": "127.0.0.1", "PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=60,
    )  # fmt: skip


def test_the_network_that_only_captures_call_makes_way_for_keyframes(stack):
    """lucy-tiny's keyframes do without the VAE's decoder. A stub's parent is a shell with the same words."""

    def niceness(model):
        children = stack.triton.children(recursive=True)
        return max(child.nice() for child in children if any(f"/{model}/" in it for it in child.cmdline()))

    assert niceness("vae_decoder") == min(19, niceness("unet") + NICENESS)


def shared_memory(stack):
    return list(Path("/dev/shm").glob(f"lucy-{stack.triton_grpc.rpartition(':')[2]}-*"))


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("host", "stop", "status"), [("127.0.0.1", signal.SIGINT, 130), ("::", signal.SIGTERM, 0)]
)
def test_ending_leaves_no_process_and_no_shared_memory(tmp_path, host, stop, status):
    """The second time at the default address, which answers on localhost of both families."""
    with running_stack(tmp_path, HOST=host) as stack:
        stack.wait_until(lambda health: "Ready: " in stack.log.read_text())
        if host == "::":
            for address in ("127.0.0.1", "[::1]", "localhost"):
                port = stack.url.rpartition(":")[2]
                with DIRECT.open(f"http://{address}:{port}/health/live", timeout=5) as response:
                    assert response.status == 200
        processes = psutil.Process(stack.process.pid).children(recursive=True)
        assert len(processes) > 8, "Triton, a Python process for each model, the proxy and its worker"
        assert shared_memory(stack)
        stack.process.send_signal(stop)
        time.sleep(0.1)
        stack.process.send_signal(stop)  # an impatient second time, which must not interrupt the end
        assert stack.process.wait(30) == status
        assert psutil.wait_procs(processes, timeout=5)[1] == [], "nothing is left"
        assert not shared_memory(stack)
        log = stack.log.read_text()
    serving = "Serving lucy-tiny (profile cpu, fp32), exported from ./export/checkpoints/lucy-tiny at "
    for line in (serving, "tryon         ready", "Ready: http://", "Stopped."):
        assert line in log
    assert "Traceback" not in log


@pytest.mark.nightly
def test_ipv6_loopback_alone_behind_a_dead_http_proxy(tmp_path):
    """And the dangerous protocols of Triton are closed, and only this user reads what it keeps in memory."""
    (proxy_port,) = free_ports(1)
    dead = f"http://127.0.0.1:{proxy_port}"
    environment = {"HOST": "::1", "http_proxy": dead, "https_proxy": dead, "no_proxy": ""}
    with running_stack(tmp_path, **environment) as stack:
        stack.wait_until(lambda health: health["ai_model_loaded"])
        stack.wait_until(lambda health: "Ready: " in stack.log.read_text())
        port = stack.url.rpartition(":")[2]
        assert f"Ready: http://[::1]:{port}  ws://[::1]:{port}/ws" in stack.log.read_text()
        with pytest.raises(urllib.error.URLError, match="refused"):
            DIRECT.open(f"http://127.0.0.1:{port}/health", timeout=5)
        assert {stat.S_IMODE(region.stat().st_mode) for region in shared_memory(stack)} == {0o600}
        listening = {it.laddr.port for it in stack.triton.net_connections() if it.status == "LISTEN"}
        assert len(listening) == 2, "gRPC and metrics, no HTTP"
        with grpc.insecure_channel(stack.triton_grpc, options=[("grpc.enable_http_proxy", 0)]) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            for call, request in (
                (stub.SystemSharedMemoryStatus, service_pb2.SystemSharedMemoryStatusRequest()),
                (stub.SystemSharedMemoryRegister, service_pb2.SystemSharedMemoryRegisterRequest(name="x")),
                (stub.CudaSharedMemoryStatus, service_pb2.CudaSharedMemoryStatusRequest()),
                (stub.RepositoryIndex, service_pb2.RepositoryIndexRequest()),
                (stub.RepositoryModelLoad, service_pb2.RepositoryModelLoadRequest(model_name="unet")),
                (stub.RepositoryModelUnload, service_pb2.RepositoryModelUnloadRequest(model_name="unet")),
                (stub.LogSettings, service_pb2.LogSettingsRequest()),
                (stub.TraceSetting, service_pb2.TraceSettingRequest()),
            ):
                with pytest.raises(grpc.RpcError) as caught:
                    call(request, timeout=5)
                assert "protocol is restricted" in caught.value.details()


@pytest.mark.parametrize("option", ["--build", "--repository"])
def test_a_path_with_a_space_is_refused_in_one_sentence(tmp_path, capsys, option):
    assert main([option, str(tmp_path / "My Projects")]) == 1
    error = capsys.readouterr().err
    assert "My Projects contains ' '" in error
    assert len(error.splitlines()) == 1


def test_a_port_in_use_is_reported_at_once(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run_to_its_end(tmp_path, port)
    assert ended.returncode == 1
    assert f"port {port} of 127.0.0.1 cannot be used (address already in use)" in ended.stderr
    assert "set PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_an_export_the_error_names_the_command_to_run(tmp_path, capsys):
    assert main(["--repository", str(tmp_path)]) == 1
    assert "run `make export` first" in capsys.readouterr().err


def test_an_export_of_another_profile_is_not_served(tmp_path, capsys):
    (tmp_path / "manifest.json").write_text('{"profile": "gpu"}')
    assert main(["--repository", str(tmp_path), "--profile", "cpu"]) == 1
    assert "make export PROFILE=cpu" in capsys.readouterr().err


def test_numpy_2_is_refused_with_the_reason(tmp_path, capsys, monkeypatch):
    (tmp_path / "manifest.json").write_text('{"profile": "cpu"}')
    monkeypatch.setattr("serving.embedded_triton.installed_version", lambda package: "2.1.0")
    assert main(["--repository", str(tmp_path)]) == 1
    assert "empty tensors" in capsys.readouterr().err


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("config", "model", "cause"),
    [
        ("", "raise ImportError('broken on purpose')", "ImportError: broken on purpose (at "),
        ("", "import nowhere_to_be_found", "No module named 'nowhere_to_be_found'"),
        (" wrong_field: 3", "", 'no field named "wrong_field"'),
    ],
)
def test_a_triton_that_does_not_start_is_explained_by_its_first_error(tmp_path, config, model, cause):
    (tmp_path / "models" / "tryon" / "1").mkdir(parents=True)
    (tmp_path / "models" / "tryon" / "config.pbtxt").write_text(f'name: "tryon" backend: "python"{config}')
    (tmp_path / "models" / "tryon" / "1" / "model.py").write_text(model)
    (tmp_path / "models" / "manifest.json").write_text('{"profile": "cpu", "stages": {}}')
    for name in ("preprocess", "postprocess"):
        shutil.copytree(HAND_WRITTEN / name, tmp_path / "models" / name)
    (port,) = free_ports(1)
    ended = run_to_its_end(tmp_path, port, f"--repository={tmp_path / 'models'}")
    assert ended.returncode == 1
    (line,) = (line for line in ended.stderr.splitlines() if line.startswith("serve: "))
    assert line.startswith("serve: Triton did not start: ")
    assert cause in line
    assert line.endswith(f"(log: {tmp_path}/logs/triton.log)")
