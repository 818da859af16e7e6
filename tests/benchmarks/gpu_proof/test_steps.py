"""The steps without a GPU, on the smallest networks. Their figures mean nothing, their form does."""

import argparse
import json
import math

import cv2
import numpy as np
import pytest
import torch

from benchmarks.gpu_proof.figures import FIGURES, Report, StepReport
from benchmarks.gpu_proof.plan import STEPS
from benchmarks.gpu_proof.server import counted
from benchmarks.gpu_proof.sizes import SIZES
from benchmarks.gpu_proof.steps.parity import _psnr
from benchmarks.gpu_proof.steps.step import run_step
from benchmarks.gpu_proof.table import table
from export.checkpoint import locate

TINY = SIZES["tiny"]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, checkpoint):
    """With what `pack` paints, in the size of the tiny checkpoint."""
    folder = tmp_path_factory.mktemp("gpu_proof")
    for name in ("data", "work", "results"):
        (folder / name).mkdir()
    rng = np.random.default_rng(0)
    np.savez(
        folder / "data" / "scenes.npz",
        pixels=rng.uniform(-1, 1, (2, 3, 64, 64)).astype(np.float32),
        painted=np.ones((2, 1, 8, 8), np.float32),
        input_ids=rng.integers(0, 500, (2, 77)).astype(np.int32),
        target=rng.integers(0, 255, (2, 64, 64, 3)).astype(np.uint8),
    )
    tokenizer = locate(str(checkpoint)).load().files["tokenizer.json"]
    (folder / "data" / "tokenizer.json").write_bytes(tokenizer)
    return folder


@pytest.fixture(scope="module")
def take(folder, checkpoint):
    """Takes one step and returns its figures and faults, as its file has them."""

    def step(name, limit=120.0):
        run_step(
            argparse.Namespace(
                name=name,
                limit=limit,
                device="cpu",
                size="tiny",
                checkpoint=checkpoint,
                **{it: folder / it for it in ("data", "work", "results")},
            )
        )
        written = json.loads((folder / "work" / f"{name}.json").read_text())
        return FIGURES[name].model_validate(written["figures"]), written["faults"]

    return step


@pytest.mark.nightly
def test_every_network_is_measured_beside_its_floor(take):
    figures, faults = take("networks")
    assert [(call.network, call.rows) for call in figures.calls] == [
        (name, rows) for name in ("unet", "vae_decoder", "vae_encoder", "text_encoder") for rows in TINY.rows
    ]
    assert all(call.eager_ms > 0 and call.floor_ms > 0 and call.graph_ms is None for call in figures.calls)
    assert all(call.floor_ms == max(call.compute_ms, call.memory_ms) for call in figures.calls)
    assert faults == ["graphs: CUDA graphs need a GPU"]


@pytest.mark.nightly
def test_without_time_the_figures_so_far_are_there(take):
    figures, faults = take("networks", limit=0.0)
    assert figures.bytes_per_s > 0
    assert figures.calls == []
    assert sum("no time was left" in fault for fault in faults) == 4


@pytest.mark.nightly
def test_the_same_device_gives_the_same_pictures(take):
    figures, _ = take("parity")
    assert [picture.steps for picture in figures.pictures] == list(TINY.steps)
    assert all(picture.psnr_db == 99 for picture in figures.pictures)
    assert all(picture.cpu_to_photograph_db < 30 for picture in figures.pictures)
    assert set(figures.largest_errors) == {"text_encoder", "vae_encoder", "unet", "vae_decoder"}
    assert max(figures.largest_errors.values()) == 0


def test_the_ratio_is_in_decibels_of_the_largest_value():
    assert _psnr(np.zeros(4), np.full(4, 25.5)) == pytest.approx(20)
    assert _psnr(np.zeros(4), np.zeros(4)) == 99
    assert math.isclose(_psnr(np.zeros(4), np.full(4, 255.0)), 0, abs_tol=1e-9)


@pytest.mark.nightly
def test_the_repository_has_programs_of_its_networks_and_what_the_server_reads(take, folder):
    from serving.stages.torch_runtime import TorchStage

    figures, _ = take("repository")
    assert set(figures.bytes) == {"text_encoder", "vae_encoder", "unet", "vae_decoder"}
    repository = folder / "work" / "model_repository"
    served = json.loads((repository / "tryon" / "1" / "pipeline.json").read_text())
    assert served["capture"]["steps"] == 25
    assert served["capture"]["guidance_scale"] > 1
    assert served["resolution"] == list(TINY.resolution)
    assert json.loads((repository / "manifest.json").read_text())["profile"] == "gpu"
    unet = TorchStage(repository / "unet" / "1" / "model.pt2", "cpu")
    inputs = {name: torch.cat([one] * 5) for name, one in unet.example().items()}
    assert unet.call(inputs)["model_output"].shape == (5, 4, 8, 8), "any number of rows"


@pytest.mark.nightly
def test_the_server_answers_keyframes_and_captures(take, folder):
    """What the step before wrote, served by the wheel's Triton with the networks in `tryon`'s process."""
    figures, faults = take("serving", limit=250.0)
    assert faults == []
    assert len(figures.keyframes_ms) == TINY.keyframes
    assert figures.keyframe_p95_ms >= figures.keyframe_p50_ms > 0
    assert (figures.keyframe_steps, figures.capture_steps) == (4, 25)
    assert len(figures.captures_ms) == TINY.captures
    assert {"preprocess", "denoise", "postprocess", "total"} <= set(figures.stages_ms)
    picture = cv2.imread(str(folder / "results" / "keyframe.jpg"))
    assert picture.shape == (720, 1280, 3)


@pytest.mark.nightly
def test_a_hop_to_another_model_costs_more_than_a_call_in_the_process(take):
    figures, faults = take("hops", limit=250.0)
    assert [(hop.way, hop.rows) for hop in figures.hops] == [
        (way, rows) for way in ("in process", "main memory") for rows in TINY.rows
    ]
    assert figures.hops[2].p50_ms > figures.hops[0].p50_ms
    assert faults == ["gpu memory: it needs a GPU"]


def test_rows_a_call_come_from_tritons_metrics():
    metrics = (
        'lucy_network_rows_total{model="unet",version="1"} 40\n'
        'lucy_network_calls_total{model="unet",version="1"} 10\n'
        'lucy_network_rows_total{model="vae_encoder",version="1"} 7\n'
    )
    assert counted(metrics, "unet") == (40, 10)
    assert counted(metrics, "vae_encoder") is None, "its calls are missing"
    assert counted("", "unet") is None


def test_a_report_becomes_a_table(tmp_path):
    figures = {name: FIGURES[name]().model_dump() for name in FIGURES}
    figures["serving"] |= {"keyframe_p50_ms": 41.2, "capture_p50_ms": 399.9}
    figures["networks"]["calls"] = [
        {"network": "unet", "rows": 1, "eager_ms": 30.0, "graph_ms": 9.0, "compute_ms": 2.0, "memory_ms": 6.0,
         "floor_ms": 6.0}
    ]  # fmt: skip
    figures["sockets"]["loads"] = [
        {"sockets": 16, "captures": 1, "seconds": 8, "answers": 99, "p50_ms": 90.0, "p99_ms": 140.0,
         "captures_done": 3, "calls": 60, "rows_a_call": 5.5}
    ]  # fmt: skip
    steps = [
        StepReport(name=step.name, state="done", seconds=1, limit_s=2, figures=figures[step.name])
        for step in STEPS
    ]
    steps[-1] = steps[-1].model_copy(update={"state": "timed out", "error": "it was ended after 2 s"})
    report = Report(
        device={"name": "a card"}, versions={"torch": "2.11"}, commit="abc", began="2026-11-27T10:00",
        size="sd15", networks="SD1.5", steps=steps,
    )  # fmt: skip
    (tmp_path / "report.json").write_text(report.model_dump_json())
    text = table(tmp_path / "report.json")
    assert "a card, SD1.5, 2026-11-27, commit abc, torch 2.11" in text
    assert "| keyframe, socket to socket, p50 | ≤ 60 ms | 41.2 ms |" in text
    assert "| 9.0 ms, 1.5 × |" in text
    assert "| 5.5; 140.0 ms |" in text
    assert "- training: timed out, it was ended after 2 s" in text
