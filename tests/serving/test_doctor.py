import json
import socket
from collections import namedtuple
from dataclasses import replace

import pytest

from export.stamps import stamp_of
from serving import doctor
from serving.doctor import Machine, examine, main, show
from tests.serving.test_engine_stamp import A10G, BATCH, BUCKETS, write_onnx

STAGES = ("text_encoder", "vae_encoder", "unet", "vae_decoder")


def write_repository(folder, profile, plans=()):
    """An export as far as the doctor looks at it, with plans of the stamps given by stage."""
    files = {}
    for stage in STAGES:
        (folder / stage / "1").mkdir(parents=True)
        onnx = write_onnx(folder / stage / "1" / "model.onnx")
        files[f"{stage}/1/model.onnx"] = {"bytes": onnx.stat().st_size}
        if stage in plans:
            (folder / stage / "1" / "model.plan").write_bytes(b"plan")
            stamp_of("10.15.1.29", A10G, onnx, BATCH, BUCKETS, False).write(folder / stage / "1")
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
    return Machine(write_repository(tmp_path / "cpu", "cpu"), "cpu", ports={})


@pytest.fixture
def gpu(tmp_path, monkeypatch):
    """A machine with an A10G on which everything is as it should be."""
    monkeypatch.setattr(doctor, "query_gpus", lambda: [A10G])
    monkeypatch.setattr(doctor, "_tensorrt_version", lambda: "10.15.1.29")
    monkeypatch.setattr(doctor.shutil, "which", lambda name, path=None: f"/opt/{name}")
    return Machine(write_repository(tmp_path / "gpu", "gpu", STAGES), "gpu", ports={})


def faults(machine):
    return {(it.subject, it.text) for it in examine(machine) if it.state == "fail"}


def only_fault(machine):
    [(subject, text)] = faults(machine)
    return f"{subject}: {text}"


def test_where_all_is_well_nothing_fails(cpu, gpu):
    assert not faults(cpu)
    assert not faults(gpu)
    assert {it.subject for it in examine(gpu)} == {"checkpoint", "gpu", "engines", "shared memory", "disk"}


def test_nothing_exported(cpu):
    (cpu.repository / "manifest.json").unlink()
    assert "run `make export`" in only_fault(cpu)


def test_exported_for_the_other_profile(gpu):
    manifest = gpu.repository / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"gpu"', '"cpu"'))
    assert "make export PROFILE=gpu" in only_fault(gpu)


def test_an_artefact_that_is_cut_off(cpu):
    (cpu.repository / "unet" / "1" / "model.onnx").write_bytes(b"half")
    assert "unet/1/model.onnx missing or changed" in only_fault(cpu)


def test_no_gpu(gpu, monkeypatch):
    monkeypatch.setattr(doctor, "query_gpus", list)
    assert "nvidia-smi finds none" in only_fault(gpu)


def test_a_plan_of_another_gpu(gpu, monkeypatch):
    l4 = replace(A10G, name="NVIDIA L4", compute_capability="8.9")
    monkeypatch.setattr(doctor, "query_gpus", lambda: [l4])
    found = faults(gpu)
    assert len(found) == 4
    assert all("compute capability 8.6 (NVIDIA A10G), and NVIDIA L4 has 8.9" in text for _, text in found)


def test_a_plan_of_another_tensorrt(gpu, monkeypatch):
    monkeypatch.setattr(doctor, "_tensorrt_version", lambda: "11.4.0.106")
    assert all("with TensorRT 10.15.1.29, and this is 11.4.0.106" in text for _, text in faults(gpu))


def test_a_stage_without_a_plan(gpu):
    (gpu.repository / "unet" / "1" / "model.plan").unlink()
    assert "unet has none: run `make export PROFILE=gpu`" in only_fault(gpu)


def test_a_plan_that_is_larger_than_the_gpu(gpu, monkeypatch):
    monkeypatch.setattr(doctor, "query_gpus", lambda: [replace(A10G, memory_total=0)])
    with (gpu.repository / "unet" / "1" / "model.plan").open("wb") as file:
        file.truncate(2 << 20)
    assert "unet alone is 2 MiB" in only_fault(gpu)


def test_an_old_driver_and_no_container(gpu, monkeypatch):
    monkeypatch.setattr(doctor, "query_gpus", lambda: [replace(A10G, driver="535.1")])
    assert "driver: 535.1 is too old" in only_fault(gpu)
    monkeypatch.setattr(doctor.shutil, "which", lambda name, path=None: None)
    assert {subject for subject, _ in faults(gpu)} == {"driver", "container"}


def test_too_little_shared_memory(cpu, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage(64 << 20, 0, 64 << 20))
    assert "raise shm_size" in only_fault(cpu)


def test_the_processor_says_which_runtime_serves(cpu, monkeypatch):
    monkeypatch.setenv("CPU_RUNTIME", "onnxruntime")
    assert "ONNX Runtime in float32" in show(list(examine(cpu)))
    monkeypatch.setenv("CPU_RUNTIME", "fast")
    assert only_fault(cpu) == "processor: CPU_RUNTIME is 'fast': set auto, onnxruntime or openvino"


def test_a_taken_port_is_named_with_its_setting(cpu):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        taken = replace(cpu, ports={"TRITON_HTTP_PORT": port})
        assert f"{port} is taken" in only_fault(taken)
        assert "TRITON_HTTP_PORT" in only_fault(taken)


def test_one_line_each_and_the_status_says_whether_it_will_serve(cpu, monkeypatch, capsys):
    for setting in doctor.PORTS:
        monkeypatch.setenv(setting, "0")
    assert main(["--repository", str(cpu.repository)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(list(examine(replace(cpu, ports={"PORT": 0}))))
    (cpu.repository / "manifest.json").unlink()
    assert main(["--repository", str(cpu.repository)]) == 1
    assert "FAIL  checkpoint" in capsys.readouterr().out
    assert "\n" not in show([next(examine(cpu))])
