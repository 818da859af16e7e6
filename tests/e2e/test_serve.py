"""`make serve` from start to end: readiness, restarts, and what it leaves behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from serving.__main__ import main
from tests.stack import free_ports, running_stack

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5"
    "ErkJggg=="
)


@pytest.fixture
def own_stack(tmp_path):
    """A stack that the test may hurt."""
    with running_stack(tmp_path) as running:
        running.wait_until(lambda health: "Ready: " in running.log.read_text())
        yield running


def run_to_its_end(folder, port, *options):
    """The command on free ports, for stacks that cannot start."""
    grpc, http, metrics = free_ports(3)
    return subprocess.run(
        [sys.executable, "-m", "serving", f"--build={folder}", f"--triton-grpc-port={grpc}",
         f"--triton-http-port={http}", f"--triton-metrics-port={metrics}", *options],
        env={**os.environ, "HOST": "127.0.0.1", "PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=60,
    )  # fmt: skip


def descendants(pid):
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += [int(child), *descendants(int(child))]
    return found


def all_gone(processes, within=5):
    """A process that was killed is in /proc until its new parent has taken note."""
    deadline = time.monotonic() + within
    while any(Path(f"/proc/{pid}").exists() for pid in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def triton_pid(stack):
    for pid in descendants(stack.process.pid):
        if Path(f"/proc/{pid}/comm").read_text().strip() == "tritonserver":
            return pid
    raise AssertionError("no tritonserver among the stack's processes")


def shared_memory(stack):
    return list(Path("/dev/shm").glob(f"lucy-{stack.triton_grpc.rpartition(':')[2]}-*"))


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_leaves_no_process_and_no_shared_memory(own_stack, stop):
    processes = descendants(own_stack.process.pid)
    assert len(processes) > 8, "Triton, a stub for each Python model, the proxy, its worker"
    assert shared_memory(own_stack)
    own_stack.process.send_signal(stop)
    assert own_stack.process.wait(30) == 0
    assert all_gone(processes)
    assert not shared_memory(own_stack)
    log = own_stack.log.read_text()
    for line in ("tryon         ready", "Ready: http://", "Stopped."):
        assert line in log


def test_a_triton_that_dies_is_started_again_and_the_proxy_says_so_meanwhile(own_stack):
    os.kill(triton_pid(own_stack), signal.SIGKILL)
    own_stack.wait_until(lambda health: not health["ai_model_loaded"])
    pictures = json.dumps({"user_image": PIXEL, "jacket_render": PIXEL, "pose": None}).encode()
    request = urllib.request.Request(
        f"{own_stack.url}/virtual-tryon", pictures, {"Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    assert caught.value.code == 503
    assert int(caught.value.headers["Retry-After"]) > 0
    assert json.load(caught.value)["code"] == "MODEL_UNAVAILABLE"
    own_stack.wait_until(lambda health: health["ai_model_loaded"])
    assert "starting Triton again" in own_stack.log.read_text()


def test_a_models_process_that_dies_is_noticed(own_stack):
    """Triton goes on calling a decoupled model ready whose process is dead, and does not restart it."""
    stub = next(
        pid
        for pid in descendants(own_stack.process.pid)
        if b"/tryon/" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    os.kill(stub, signal.SIGKILL)
    own_stack.wait_until(lambda health: not health["ai_model_loaded"])
    own_stack.wait_until(lambda health: health["ai_model_loaded"])
    assert "The process of one of Triton's models died" in own_stack.log.read_text()


def test_the_proxys_end_ends_the_stack(own_stack):
    processes = descendants(own_stack.process.pid)
    proxy = next(pid for pid in processes if b"frontend_proxy\0" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(proxy, signal.SIGKILL)
    assert own_stack.process.wait(30) == 1
    assert "the proxy ended" in own_stack.log.read_text()
    assert all_gone(processes)


def test_a_taken_port_is_said_at_once(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run_to_its_end(tmp_path, port)
    assert ended.returncode == 1
    assert f"port {port} is taken" in ended.stderr
    assert "set PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_an_export_it_says_what_to_run(tmp_path, capsys):
    assert main(["--repository", str(tmp_path)]) == 1
    assert "run `make export` first" in capsys.readouterr().err


def test_an_export_of_another_profile_is_not_served(tmp_path, capsys):
    (tmp_path / "manifest.json").write_text('{"profile": "gpu"}')
    assert main(["--repository", str(tmp_path)]) == 1
    assert "make export PROFILE=cpu" in capsys.readouterr().err


def test_numpy_2_is_refused_with_the_reason(tmp_path, capsys, monkeypatch):
    (tmp_path / "manifest.json").write_text('{"profile": "cpu"}')
    monkeypatch.setattr("serving.__main__.version", lambda package: "2.1.0")
    assert main(["--repository", str(tmp_path)]) == 1
    assert "empty tensors" in capsys.readouterr().err


def test_a_model_that_does_not_load_ends_the_stack_with_tritons_last_words(tmp_path):
    (tmp_path / "models" / "tryon" / "1").mkdir(parents=True)
    (tmp_path / "models" / "tryon" / "config.pbtxt").write_text('name: "tryon" backend: "python"')
    (tmp_path / "models" / "tryon" / "1" / "model.py").write_text("raise ImportError('broken on purpose')")
    (tmp_path / "models" / "manifest.json").write_text('{"profile": "cpu"}')
    (port,) = free_ports(1)
    ended = run_to_its_end(tmp_path, port, f"--repository={tmp_path / 'models'}")
    assert ended.returncode == 1
    assert "Triton ended with status" in ended.stderr
    assert "before it was ready" in ended.stderr
