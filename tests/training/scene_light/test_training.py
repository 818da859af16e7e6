"""A few steps of training, and going on where it was stopped."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipeline.light.light_reader import LightReader
from training.scene_light import shards, training
from training.scene_light.augmentation import plain
from training.scene_light.calibration import calibrate
from training.scene_light.level_fit import fit_level
from training.scene_light.refitting import refit, remembered
from training.scene_light.samples import of_painted
from training.scene_light.training import Training
from training.scene_light.weights import write_weights


@pytest.fixture(scope="module")
def rows():
    return np.stack([of_painted(number) for number in range(4)])


@pytest.fixture
def work(tmp_path, rows, monkeypatch):
    np.save(tmp_path / "painted-0000000.npy", rows)
    monkeypatch.setattr(training, "BATCH", 4)
    return tmp_path


@pytest.mark.nightly
def test_a_stopped_run_goes_on(work, rows):
    run = Training(work, 0.2)
    run.run(None, {"held out": rows})
    assert run.step > 0
    [entry] = [json.loads(line) for line in (work / "training.jsonl").read_text().splitlines()]
    assert entry["painted"] == 4
    assert {"composite", "gain", "answer", "worst", "correlation"} <= set(entry["held out"])
    again = Training(work, 0.2)
    again.load()
    assert (again.step, again.elapsed) == (run.step, run.elapsed)
    for one, other in zip(again.average.parameters(), run.average.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    onwards = Training(work, 0.2)
    onwards.load(onwards=True)
    assert (onwards.step, onwards.elapsed) == (0, 0)


@pytest.mark.nightly
def test_it_learns(work, rows):
    """On four scenes, learnt by heart."""
    run = Training(work, 1)
    samples = {"painted": torch.from_numpy(rows)}
    errors = [float(run._learn(samples)[0]) for _ in range(50)]
    assert np.mean(errors[-15:]) < np.mean(errors[:15]) - 0.1


@pytest.mark.nightly
def test_a_reader_that_is_wrong_is_trusted_less(rows):
    """It expects an error of 0.3 everywhere; where its light is right, that is small enough."""
    torch.manual_seed(0)
    network = LightReader().eval()
    fit_level(network, [plain(torch.from_numpy(rows))])
    right = calibrate(network, rows)
    with torch.no_grad():
        network.plain.bias += 1.5
    wrong = calibrate(network, rows)
    trusts = []
    for found in (right, wrong):
        network.calibration.copy_(torch.tensor([found["sure"], found["unsure"]]))
        with torch.no_grad():
            trusts.append(float(network(plain(torch.from_numpy(rows)).scene)[1].mean()))
    assert trusts[0] > trusts[1] + 0.3
    assert wrong["worst"] > -1


def test_the_weights_are_written_in_half_precision(work, tmp_path):
    run = Training(work, 0)
    path = write_weights(run.average, tmp_path / "checkpoint")
    assert path.parent.name == "light_reader"
    weights = load_file(path)
    assert set(weights) == set(run.average.state_dict())
    assert weights["stem.0.weight"].dtype == torch.float16


def test_painted_scenes_are_stored_once(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "IN_SHARD", 2)
    made = []
    monkeypatch.setattr(
        shards, "of_painted", lambda seed: made.append(seed) or np.zeros((14, 8, 8), np.uint8)
    )
    for count in (2, 4):
        shards.paint(tmp_path, 10, count)
    assert made == [10, 11, 12, 13]
    assert len(shards.read(tmp_path, "painted")) == 4
    assert len(shards.read(tmp_path, "photographs")) == 0


@pytest.mark.nightly
def test_the_level_is_refitted_and_the_shading_stays(work, rows, tmp_path):
    """A reader whose level is too bright by 0.5 in every scene."""
    torch.manual_seed(0)
    run = Training(work, 0)
    for layer in (run.network.steer, run.network.shading, run.network.level):
        torch.nn.init.normal_(layer.weight, std=0.02)
    with torch.no_grad():
        run.network.plain.bias += 0.5
    write_weights(run.network, tmp_path / "checkpoint")
    run.begin(tmp_path / "checkpoint")
    scene = plain(torch.from_numpy(rows)).scene
    shadings = []
    seen = remembered(run.network, rows)
    for step in range(2):
        log_light = run.network.eval().regress(scene)[0].detach()
        shadings.append(log_light - log_light.mean(dim=(2, 3), keepdim=True))
        if step == 0:
            before, after = refit(run.network, seen, seen, steps=150, share=1)
    assert after < 0.8 * before
    assert (shadings[1] - shadings[0]).abs().max() < 0.05
