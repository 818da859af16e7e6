"""benchmarks/gpu without a GPU: the smallest networks, on the engines that a CPU has."""

import ast
import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.gpu.__main__ import main
from benchmarks.gpu.denoising import MODES
from benchmarks.gpu.device import floor
from benchmarks.gpu.engines import Eager, OnnxRuntime
from benchmarks.gpu.networks import make_inputs, make_networks
from benchmarks.gpu.sweep import attempt

FOLDER = Path(__file__).parents[3] / "benchmarks" / "gpu"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Two threads on a busy machine wait for each other longer than these networks compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


SWEEP = ["--tiny", "--batches=1,2", "--users=1", "--resolutions=64x64", "--budget=0"]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    output = tmp_path_factory.mktemp("gpu") / "gpu.json"
    main([*SWEEP, "--engines=eager,cuda_graph,tensorrt", f"--output={output}"])
    assert output.with_suffix(".png").stat().st_size > 10_000
    return json.loads(output.read_text())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there are more engines with a GPU")
def test_missing_engines_are_reported_and_the_others_measured(report):
    assert set(report["skipped"]) == {"cuda_graph", "tensorrt"}
    measured = [(it["stage"], it["batch"]) for it in report["stages"]]
    assert measured == [(stage, n) for stage in ("vae_encoder", "unet", "vae_decoder") for n in (1, 2)]
    assert [it["mode"] for it in report["end_to_end"]] == list(MODES)
    assert all(it["ms"] > 0 for it in report["stages"] + report["end_to_end"])
    assert "mean nothing" in report["device"]["networks"]


def test_a_floor_is_the_flops_and_bytes_of_the_layer():
    """On a layer whose FLOPs (2·n·m per row) and bytes (weights, input and output once) are known."""
    layer = torch.nn.Linear(64, 32, bias=False)
    rates = {"flops_per_s": 1e3, "bytes_per_s": 1e6}
    least = floor(layer, {"input": torch.zeros(4, 64)}, rates)
    assert least["compute_ms"] == pytest.approx(1e3 * 4 * 2 * 64 * 32 / 1e3)
    assert least["memory_ms"] == pytest.approx(1e3 * 4 * (64 * 32 + 4 * 64 + 4 * 32) / 1e6)
    assert least["floor_ms"] == least["compute_ms"]


@pytest.mark.nightly
def test_the_engines_give_the_same_picture(tmp_path):
    """Comparing times is only valid if the results are equal."""
    torch.manual_seed(0)
    with torch.no_grad():
        networks = make_networks(True, "cpu", torch.float32)
        encoder = networks["vae_encoder"]
        inputs = make_inputs("vae_encoder", encoder, (64, 64), 2)
        first, second = (engine(encoder, inputs, tmp_path).bind(inputs)() for engine in (Eager, OnnxRuntime))
    assert torch.allclose(first, second, atol=1e-4)


def test_out_of_memory_leaves_out_one_figure():
    def bind():
        raise RuntimeError("Failed to allocate memory for requested buffer of size 7")

    assert attempt(bind, None) == (None, None)
    with pytest.raises(RuntimeError, match="something else"):
        attempt(lambda: (_ for _ in ()).throw(RuntimeError("something else")), None)


def test_without_a_gpu_the_real_networks_are_refused(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        main([])
    assert "--tiny" in capsys.readouterr().err


def test_it_needs_only_torch_and_diffusers():
    """So that the folder alone can be taken to a machine with a GPU."""
    optional = {"matplotlib", "onnxruntime", "onnxscript", "tensorrt"}
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                package = name.split(".")[0]
                ours = name.startswith("benchmarks.gpu.")
                allowed = {"torch", "diffusers"} | (optional if node.col_offset else set())
                assert ours or package in allowed | sys.stdlib_module_names, f"{path.name} imports {name}"
