import stat
import uuid
from pathlib import Path

import pytest

from serving import triton_server
from serving.gpu_settings import GpuSettings
from serving.triton_server import RESTRICTED_PROTOCOLS, TritonServer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server(tmp_path, exported):
    return TritonServer(tmp_path / "models", "cpu", 18001, None, 18002, tmp_path / "build")


@pytest.fixture(autouse=True)
def exported(tmp_path):
    """Two repositories with an export."""
    for folder in (tmp_path, tmp_path / "models"):
        for ensemble in ("encode", "decode"):
            (folder / ensemble).mkdir(parents=True)
            (folder / ensemble / "config.pbtxt").write_text(
                'ensemble_scheduling { step { model_name: "unet" } }'
            )
        (folder / "manifest.json").write_text('{"stages": {"unet": {}}}')


def options(server):
    return [word for word in server.command() if word.startswith("--")]


def test_there_is_no_http_endpoint_unless_its_port_is_set(server, tmp_path):
    assert "--allow-http=false" in options(server)
    assert not any("http-port" in option for option in options(server))
    with_http = TritonServer(tmp_path / "models", "cpu", 18001, 18000, 18002, tmp_path / "build")
    assert {"--http-port=18000", "--http-address=127.0.0.1"} <= set(options(with_http))
    assert "--allow-http=false" not in options(with_http)


def test_dangerous_protocols_need_a_token_that_nobody_knows(server, tmp_path):
    """`shared-memory` reads and writes other processes' memory, `model-repository` loads code."""

    def tokens(server, kind):
        prefix = f"--{kind}={RESTRICTED_PROTOCOLS}:token="
        return [option.removeprefix(prefix) for option in options(server) if option.startswith(prefix)]

    (first,), (second,) = (tokens(server, "grpc-restricted-protocol") for _ in range(2))
    assert first != second
    assert len(first) >= 32
    with_http = TritonServer(tmp_path / "models", "cpu", 18001, 18000, 18002, tmp_path / "build")
    (over_http,) = tokens(with_http, "http-restricted-api")
    assert len(over_http) >= 32


def test_every_address_is_loopback(server):
    addresses = [option for option in options(server) if "-address=" in option]
    assert len(addresses) == 2
    assert all(address.endswith("=127.0.0.1") for address in addresses)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tensor_memory", "cpu"),
        ("gpu_runtime", "torch"),
        ("gpu_device", "cpu"),
        ("cuda_graphs", False),
    ],
)
def test_the_models_settings_reach_them(tmp_path, monkeypatch, name, value):
    """Set in .env, they are not in the environment that Triton would inherit."""
    monkeypatch.delenv(name.upper(), raising=False)
    gpu = GpuSettings(**{name: value})
    server = TritonServer(tmp_path, "cpu", 18001, None, 18002, tmp_path, cpu_runtime="openvino", gpu=gpu)
    assert server.environment()[name.upper()] == str(value).lower()
    assert server.environment()["CPU_RUNTIME"] == "openvino"


@pytest.mark.parametrize(
    ("installed", "given", "in_process"),
    [
        ("/opt/tritonserver/bin/tritonserver", {}, False),
        ("/opt/tritonserver/bin/tritonserver", {"gpu_runtime": "torch"}, True),
        (None, {}, True),
        (None, {"gpu_device": "cpu"}, True),
    ],
)
def test_where_profile_gpu_has_its_networks(server, tmp_path, monkeypatch, installed, given, in_process):
    """The image's Triton has TensorRT's backend. The wheel's has the Python backend alone."""
    monkeypatch.setattr(triton_server.shutil, "which", lambda name, path=None: installed)
    args = tmp_path / "models", "gpu", 18001, None, 18002, tmp_path / "build"
    server = TritonServer(*args, gpu=GpuSettings(_env_file=None, **given))
    assert server.in_process == in_process
    program, *_ = server.command()
    configuration = f"--model-config-name={'in_process' if in_process else 'gpu'}"
    assert configuration in options(server)
    assert (program == installed) != in_process
    assert ("--load-model=unet" in options(server)) != in_process
    assert "--load-model=tryon" in options(server)


@pytest.fixture
def region():
    """Makes a shared-memory region with that name; removes it at the end."""
    made = []

    def make(name, mode=0o644):
        path = Path("/dev/shm", name)
        path.touch()
        path.chmod(mode)
        made.append(path)
        return path

    yield make
    for path in made:
        path.unlink(missing_ok=True)


def test_only_this_user_reads_the_regions(server, region):
    ours, other = region(f"{server.shm_prefix}{uuid.uuid4()}"), region(f"lucy-18003-{uuid.uuid4()}")
    server.protect_shared_memory()
    assert stat.S_IMODE(ours.stat().st_mode) == 0o600
    assert stat.S_IMODE(other.stat().st_mode) == 0o644


def test_leftovers_of_this_port_are_removed(server, region):
    old, other = region("lucy-18001-0a0b0c0d-x"), region("lucy-180010-0a0b0c0d-x")
    server.remove_shared_memory()
    assert not old.exists()
    assert other.exists()


def test_leftovers_of_another_user_do_not_stop_a_start(server, region, monkeypatch):
    """/dev/shm is sticky: only the owner may delete. And no region of ours may have such a name."""
    old = region("lucy-18001-0a0b0c0d-x")

    def refuse(path, missing_ok=False):
        raise PermissionError(1, "Operation not permitted", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        patch.setattr(Path, "chmod", refuse)
        server.remove_shared_memory()
        server.protect_shared_memory()
    assert old.exists()
    assert not old.name.startswith(server.shm_prefix)


@pytest.mark.parametrize(("profile", "count"), [("cpu", 5), ("gpu", 4)])
def test_it_knows_how_many_processes_its_models_have(tmp_path, monkeypatch, profile, count):
    """Two for each of the picture's models; the network has one of its own only on the CPU."""
    monkeypatch.setattr(triton_server, "installed_triton", lambda: Path("/bin/tritonserver"))
    models = ("preprocess", "postprocess", "unet")
    server = TritonServer(ROOT / "model_repository", profile, 18001, None, 18002, tmp_path, models=models)
    assert server.processes() == count
