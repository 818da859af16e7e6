import json
import socket
from collections import namedtuple
from dataclasses import replace

import pytest

from export.stamps import stamp_of
from serving import doctor, embedded_triton, gpu_checks, triton_server
from serving.doctor import examine, main
from serving.errors import CannotServe
from serving.finding import Machine, report
from serving.settings import ServingSettings
from serving.stages import gpu_runtime
from serving.stages.figures import Figures
from serving.stages.gpu_runtime import Choice
from serving.stages.measured import Measured, with_measured
from serving.stages.runtime import ONNX_RUNTIME, OPENVINO
from tests.serving.test_engine_stamp import A10G, BATCHES, BUCKETS, write_onnx
from tests.stack import free_ports

STAGES = ("text_encoder", "vae_encoder", "unet", "vae_decoder")


def settings(**given):
    """Settings with free ports, whatever the environment says."""
    port, grpc_port, metrics_port = free_ports(3)
    ports = {"port": port, "triton_grpc_port": grpc_port, "triton_metrics_port": metrics_port}
    return ServingSettings(_env_file=None, **{"host": "127.0.0.1", **ports, **given})


def write_repository(folder, profile, engines=()):
    """An export as far as the doctor examines it, with engines for the stages given."""
    files = {}
    for stage in STAGES:
        (folder / stage / "1").mkdir(parents=True)
        onnx = write_onnx(folder / stage / "1" / "model.onnx")
        files[f"{stage}/1/model.onnx"] = {"bytes": onnx.stat().st_size}
        if stage in engines:
            (folder / stage / "1" / "model.plan").write_bytes(b"plan")
            stamp_of("11.1.0.106", A10G, onnx, BATCHES, BUCKETS, False).write(folder / stage / "1")
    manifest = {
        "profile": profile,
        "precision": "fp16",
        "checkpoint": {"name": "tiny"},
        "files": files,
        "stages": {stage: {"precision": "fp16"} for stage in STAGES},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def cpu(tmp_path):
    return Machine(write_repository(tmp_path / "cpu", "cpu"), "cpu", settings())


@pytest.fixture
def gpu(tmp_path, monkeypatch):
    """A machine with an A10G on which nothing is wrong."""
    monkeypatch.setattr(gpu_checks, "query_gpus", lambda: [A10G])
    monkeypatch.setattr(gpu_checks, "tensorrt_version", lambda: "11.1.0.106")
    monkeypatch.setattr(triton_server.shutil, "which", lambda name, path=None: f"/opt/{name}")
    return Machine(write_repository(tmp_path / "gpu", "gpu", STAGES), "gpu", settings())


def faults(machine):
    return {(it.subject, it.text) for it in examine(machine) if it.state == "fail"}


def only_fault(machine):
    [(subject, text)] = faults(machine)
    return f"{subject}: {text}"


def test_a_machine_without_faults(cpu, gpu):
    assert not faults(cpu)
    assert not faults(gpu)
    subjects = {it.subject for it in examine(gpu)}
    assert subjects == {"checkpoint", "gpu", "engines", "shared memory", "disk", "ports"}


def test_nothing_exported(cpu):
    (cpu.repository / "manifest.json").unlink()
    assert "run `make export`" in only_fault(cpu)


@pytest.mark.parametrize("text", ["{}", "[]", '{"profile": "cpu"}'])
def test_a_manifest_that_no_export_has_written(cpu, text):
    """It ended the doctor in a traceback."""
    (cpu.repository / "manifest.json").write_text(text)
    assert "manifest.json cannot be read" in only_fault(cpu)


def test_exported_for_the_other_profile(gpu):
    manifest = gpu.repository / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"gpu"', '"cpu"'))
    assert "make export PROFILE=gpu" in only_fault(gpu)


def test_an_artefact_that_is_cut_off(cpu):
    (cpu.repository / "unet" / "1" / "model.onnx").write_bytes(b"half")
    assert "unet/1/model.onnx missing or changed" in only_fault(cpu)


@pytest.mark.parametrize("name", ["My Projects", "lucy(1)", "lucy[1]"])
def test_a_folder_that_triton_does_not_serve_from(cpu, tmp_path, name):
    folder = write_repository(tmp_path / name, "cpu")
    assert only_fault(replace(cpu, repository=folder)).startswith(f"folder: the path {folder} contains")


def test_no_gpu(gpu, monkeypatch):
    monkeypatch.setattr(gpu_checks, "query_gpus", list)
    assert "nvidia-smi finds none" in only_fault(gpu)


def test_an_engine_for_another_gpu(gpu, monkeypatch):
    l4 = replace(A10G, name="NVIDIA L4", compute_capability="8.9")
    monkeypatch.setattr(gpu_checks, "query_gpus", lambda: [l4])
    found = faults(gpu)
    assert len(found) == 4
    assert all("compute capability 8.6 (NVIDIA A10G), and NVIDIA L4 has 8.9" in text for _, text in found)


def test_an_engine_of_another_tensorrt(gpu, monkeypatch):
    monkeypatch.setattr(gpu_checks, "tensorrt_version", lambda: "11.4.0.106")
    expected = "with TensorRT 11.1.0.106, and this machine has 11.4.0.106"
    assert all(expected in text for _, text in faults(gpu))


def test_a_stage_without_an_engine(gpu):
    (gpu.repository / "unet" / "1" / "model.plan").unlink()
    assert "unet has no engine: run `make export PROFILE=gpu`" in only_fault(gpu)


def test_an_engine_that_is_larger_than_the_gpu(gpu, monkeypatch):
    monkeypatch.setattr(gpu_checks, "query_gpus", lambda: [replace(A10G, memory_total=0)])
    with (gpu.repository / "unet" / "1" / "model.plan").open("wb") as file:
        file.truncate(2 << 20)
    assert "unet alone is 2 MiB" in only_fault(gpu)


def test_an_old_driver(gpu, monkeypatch):
    monkeypatch.setattr(gpu_checks, "query_gpus", lambda: [replace(A10G, driver="535.1")])
    assert "driver: 535.1 is too old" in only_fault(gpu)


@pytest.fixture
def bare(gpu, monkeypatch):
    """A machine with a GPU and no tritonserver."""
    monkeypatch.setattr(triton_server.shutil, "which", lambda name, path=None: None)
    return gpu


def test_without_a_tritonserver_the_networks_run_inside_tryon(bare, monkeypatch):
    for stage in STAGES:
        (bare.repository / stage / "1" / "model.pt2").write_bytes(b"program")
    choice = Choice("torch", {"tensorrt": "its package cannot be imported"})
    monkeypatch.setattr(gpu_checks, "choose_gpu_runtime", lambda *given: choice)
    assert not faults(bare)
    expected = "the networks run inside tryon on torch; not tensorrt: its package cannot be imported"
    assert expected in report(list(examine(bare)))


def test_a_runtime_that_cannot_work_is_a_fault(bare, monkeypatch):
    """The tests' torch is a CPU build."""
    monkeypatch.setattr(gpu_runtime, "cuda_fault", lambda: "torch was built without CUDA: run `pip`")
    assert only_fault(bare) == (
        "runtime: no runtime can compute the networks here: torch was built without CUDA: run `pip`"
    )


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ({"find_spec": lambda name: None}, "nvidia-pytriton, which contains Triton, is missing"),
        ({"_loads": lambda library: False}, "which Triton's Python stub needs, is not on this machine"),
        ({"installed_version": lambda name: "2.1.0"}, "NumPy 2.1.0 is installed"),
    ],
)
def test_what_the_embedded_triton_lacks_is_said_by_the_doctor_and_by_serve(
    cpu, monkeypatch, tmp_path, missing, says
):
    """The doctor said ok where `make serve` refused."""
    monkeypatch.setattr(embedded_triton.sysconfig, "get_config_var", lambda name: str(tmp_path))
    monkeypatch.setattr(embedded_triton, "_loads", lambda library: True)
    for name, value in missing.items():
        place = embedded_triton.importlib.util if name == "find_spec" else embedded_triton
        monkeypatch.setattr(place, name, value)
    fault = only_fault(cpu)
    assert fault.startswith("triton: ")
    assert says in fault
    server = triton_server.TritonServer(cpu.repository, "cpu", 1, None, 2, tmp_path, models=["preprocess"])
    with pytest.raises(CannotServe, match=says):
        server.command()


def test_too_little_shared_memory(cpu, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage(64 << 20, 0, 64 << 20))
    assert "raise shm_size" in only_fault(cpu)


def test_the_processor_line_names_the_runtime(cpu):
    onnx = replace(cpu, settings=settings(cpu_runtime="onnxruntime"))
    assert "ONNX Runtime in float32" in report(list(examine(onnx)))
    openvino = replace(cpu, settings=settings(cpu_runtime="openvino"))
    assert "OpenVINO in bfloat16" in report(list(examine(openvino)))


def test_the_table_of_runtimes_has_a_line_for_each_stage(cpu):
    auto = replace(cpu, settings=settings(cpu_runtime="auto"))
    assert "not measured yet" in report(list(examine(auto)))
    path = cpu.repository / "manifest.json"
    slow, fast = (Figures({1: ms, 4: 4 * ms}, {1: ms, 4: 4 * ms}, 0.0) for ms in (41.5, 28.25))
    measured = Measured("2026-11-27T18:00", {"unet": {ONNX_RUNTIME: slow, OPENVINO: fast}})
    path.write_text(json.dumps(with_measured(json.loads(path.read_text()), measured)))
    lines = report(list(examine(auto))).splitlines()
    assert any("runtimes measured at 2026-11-27T18:00, ms of 1 and 4 rows" in line for line in lines)
    expected = "OpenVINO in bfloat16 (28.2, 113.0); not ONNX Runtime in float32 (41.5, 166.0)"
    assert f" ok   unet           {expected}" in lines


@pytest.mark.parametrize(
    ("host", "address", "setting"),
    [
        ("127.0.0.1", "127.0.0.1", "port"),
        ("::1", "::1", "port"),
        ("::", "::1", "port"),
        ("::", "127.0.0.1", "port"),
        ("::1", "127.0.0.1", "triton_grpc_port"),
    ],
)
def test_a_port_in_use_is_named_with_its_setting(cpu, host, address, setting):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as other:
        other.bind((address, 0))
        other.listen()
        port = other.getsockname()[1]
        in_use = replace(cpu, settings=settings(host=host, **{setting: port}))
        fault = only_fault(in_use)
    assert fault.startswith(f"ports: {port} of ")
    assert "address already in use" in fault
    assert fault.endswith(f"or set {setting.upper()}")


@pytest.fixture
def own_environment(monkeypatch, tmp_path):
    """A working folder of its own, and no settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ServingSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return tmp_path


def test_the_command_reads_dotenv_as_the_proxy_does(cpu, own_environment, capsys):
    port, grpc_port, metrics_port = free_ports(3)
    lines = f"HOST=::1\nPORT={port}\nTRITON_GRPC_PORT={grpc_port}\nTRITON_METRICS_PORT={metrics_port}\n"
    (own_environment / ".env").write_text(lines)
    assert main(["--repository", str(cpu.repository)]) == 0
    shown = capsys.readouterr().out
    assert f"{port}, {grpc_port}, {metrics_port} free" in shown
    assert len(shown.splitlines()) == len(list(examine(cpu)))
    (cpu.repository / "manifest.json").unlink()
    assert main(["--repository", str(cpu.repository)]) == 1
    assert "FAIL  checkpoint" in capsys.readouterr().out


def test_a_wrong_setting_is_named(cpu, own_environment, monkeypatch, capsys):
    monkeypatch.setenv("CPU_RUNTIME", "fast")
    assert main(["--repository", str(cpu.repository)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("FAIL  settings       CPU_RUNTIME: ")
    assert len(error.splitlines()) == 1
