"""Which runtime is chosen, and what is said of the others, on machines of every kind."""

import sys
from types import SimpleNamespace

import pytest
import torch

from export.stamps import stamp_of
from serving.errors import CannotServe
from serving.gpu_settings import GpuSettings
from serving.stages import gpu_runtime
from serving.stages.gpu_runtime import choose_gpu_runtime, cuda_fault
from tests.serving.test_engine_stamp import A10G, BATCHES, BUCKETS, write_onnx

VERSION = "11.1.0.106"


@pytest.fixture
def repository(tmp_path):
    """An export with every artefact that a runtime could want."""
    folder = tmp_path / "unet" / "1"
    folder.mkdir(parents=True)
    onnx = write_onnx(folder / "model.onnx")
    for name in ("model.pt2", "model.plan"):
        (folder / name).write_bytes(b"artefact")
    stamp_of(VERSION, A10G, onnx, BATCHES, BUCKETS, False).write(folder)
    return tmp_path


@pytest.fixture
def machine(monkeypatch):
    """A machine with an A10G, CUDA's torch, TensorRT and CUDA's ONNX Runtime."""
    monkeypatch.setattr(gpu_runtime, "cuda_fault", lambda: None)
    monkeypatch.setattr(gpu_runtime, "query_gpus", lambda: [A10G])
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(__version__=VERSION))
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", SimpleNamespace(__version__=VERSION))
    return monkeypatch


def choose(repository, runtime="auto", device="cuda"):
    settings = GpuSettings(_env_file=None, gpu_runtime=runtime, gpu_device=device)
    return choose_gpu_runtime(settings, repository, ["unet"])


def refused(repository, runtime, **more):
    with pytest.raises(CannotServe) as error:
        choose(repository, runtime, **more)
    return str(error.value)


def without_tensorrt(monkeypatch):
    for name in ("tensorrt", "tensorrt_bindings"):
        monkeypatch.setitem(sys.modules, name, None)


def test_the_first_that_works_is_chosen_and_the_others_say_what_they_lack(repository, machine):
    assert choose(repository).runtime == "tensorrt"
    without_tensorrt(machine)
    assert choose(repository).runtime == "tensorrt_rtx"
    machine.setitem(sys.modules, "tensorrt_rtx", None)
    choice = choose(repository)
    assert choice.runtime == "torch"
    assert "pip install tensorrt" in choice.faults["tensorrt"]
    assert "pip install tensorrt_rtx_cu13" in choice.faults["tensorrt_rtx"]
    (repository / "unet" / "1" / "model.pt2").unlink()
    assert choose(repository).runtime == "onnxruntime"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda folder: (folder / "model.plan").unlink(),
            "unet has no engine: run `make export PROFILE=gpu ENG",
        ),
        (lambda folder: (folder / "model.plan.json").write_text("{"), "missing or broken"),
    ],
)
def test_an_engine_that_does_not_fit_is_no_reason_not_to_serve(repository, machine, change, reason):
    change(repository / "unet" / "1")
    choice = choose(repository)
    assert choice.runtime == "torch"
    assert reason in choice.faults["tensorrt"]
    assert refused(repository, "tensorrt").startswith("GPU_RUNTIME is tensorrt, and ")


def test_an_engine_of_another_tensorrt_names_both(repository, machine):
    machine.setitem(sys.modules, "tensorrt", SimpleNamespace(__version__="11.4.0.106"))
    assert "11.1.0.106, and this machine has 11.4.0.106" in refused(repository, "tensorrt")


def test_tensorrt_rtx_is_not_for_an_h100(repository, machine):
    h100 = SimpleNamespace(name="NVIDIA H100", compute_capability="9.0")
    machine.setattr(gpu_runtime, "query_gpus", lambda: [h100])
    assert "this GPU has 9.0" in refused(repository, "tensorrt_rtx")


@pytest.mark.parametrize(
    ("runtime", "break_it", "advice"),
    [
        ("tensorrt", without_tensorrt, "pip install tensorrt"),
        (
            "tensorrt_rtx",
            lambda patch: patch.setitem(sys.modules, "tensorrt_rtx", None),
            "pip install tensorrt_rtx_cu13",
        ),
        (
            "onnxruntime",
            lambda patch: patch.setattr("onnxruntime.get_available_providers", list),
            "pip install -r requirements-onnxruntime-gpu.txt",
        ),
        (
            "torch",
            lambda patch: patch.setattr(gpu_runtime, "cuda_fault", lambda: "torch finds no GPU: install"),
            "install",
        ),
    ],
)
def test_a_forced_runtime_says_what_to_install(repository, machine, runtime, break_it, advice):
    break_it(machine)
    assert advice in refused(repository, runtime)


@pytest.mark.parametrize(("runtime", "name"), [("torch", "model.pt2"), ("onnxruntime", "model.onnx")])
def test_what_was_not_exported_is_named(repository, machine, runtime, name):
    (repository / "unet" / "1" / name).unlink()
    assert f"{name} is missing: run `make export PROFILE=gpu`" in refused(repository, runtime)


def test_on_a_processor_torch_and_onnxruntime_compute(repository):
    assert choose(repository, device="cpu").runtime == "torch"
    assert choose(repository, "onnxruntime", device="cpu").runtime == "onnxruntime"
    assert "use GPU_RUNTIME=torch" in refused(repository, "tensorrt", device="cpu")


def test_torch_without_cuda_or_without_a_gpu_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "pip install torch==" in cuda_fault()
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "install NVIDIA's driver" in cuda_fault()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert cuda_fault() is None
