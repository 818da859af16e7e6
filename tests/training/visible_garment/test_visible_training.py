import subprocess
import sys

import numpy as np
import pytest
import torch

from pipeline.garment.visibility import PLANES, SIDE
from serving.visible_garment import open_visible
from training.visible_garment import training
from training.visible_garment.__main__ import main
from training.visible_garment.network import VisibleGarment, write_onnx
from training.visible_garment.scenes import Scenes, paint
from training.visible_garment.training import Batch, Training, train


def a_batch(count=4, side=64, weight=1.0):
    """Samples whose answer is in one of the planes."""
    rng = np.random.default_rng(0)
    planes = rng.integers(0, 256, (count, side, side, PLANES), np.uint8)
    answer = 255 * (rng.random((count, side // 8, side // 8)) > 0.5).repeat(8, 1).repeat(8, 2)
    planes[..., 7] = answer
    weights = np.full(answer.shape, weight, np.float32)
    parts = (planes, planes[..., 7], 255 - planes[..., 7], weights, weights)
    return Batch(*(torch.from_numpy(part) for part in parts))


def test_the_network_is_small():
    count = sum(parameter.numel() for parameter in VisibleGarment().parameters())
    assert count < 2e6


@pytest.mark.nightly
def test_the_loss_falls():
    learning, batch = Training(1e9), a_batch()
    losses = []
    for _ in range(30):
        learning.run_step(batch)
        losses.append(learning.loss)
    assert losses[-1] < 0.93 * losses[0]  # a running mean over 50 steps


def test_a_pixel_without_weight_teaches_nothing():
    learning = Training(1e9)
    learning.run_step(a_batch(weight=0))
    assert learning.loss == 0


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    paint(folder / "painted", 2)
    return folder


@pytest.mark.nightly
def test_a_stopped_training_goes_on(painted, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "BATCH", 3)
    read = lambda: [(Scenes(painted / "painted"), 1.0)]  # noqa: E731
    first = train(read, 0.02, tmp_path)
    assert first.step >= 1
    again = train(read, 0.02, tmp_path)
    assert again.step == first.step
    for name, value in first.average.state_dict().items():
        assert torch.equal(value, again.average.state_dict()[name]), name
    assert train(read, first.elapsed / 60 + 0.02, tmp_path).step > first.step  # a busy machine takes longer


@pytest.mark.nightly
def test_other_processes_make_the_samples(painted, tmp_path):
    """Not in this one: a DataLoader leaves torch's handler of ended processes, which later crashed it."""
    (tmp_path / "painted").symlink_to(painted / "painted")
    network = tmp_path / "visible.onnx"
    options = [
        "--minutes=0.02",
        "--workers=2",
        "--photographs=none",
        f"--work={tmp_path}",
        f"--network={network}",
    ]
    command = [sys.executable, "-m", "training.visible_garment", "train", "--device=cpu", *options]
    subprocess.run(command, check=True, timeout=200, capture_output=True)
    assert network.exists()


@pytest.mark.nightly
def test_one_command_trains_and_writes_what_the_server_opens(painted, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "BATCH", 3)
    network = tmp_path / "visible.onnx"
    common = ["--work", str(painted), "--network", str(network)]
    main(["train", "--minutes", "0.01", "--photographs", str(tmp_path / "none"), *common])
    planes = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, PLANES), np.uint8)
    answer = open_visible(network)(planes)
    assert (answer.shape, answer.dtype) == ((1, SIDE, SIDE, 2), np.uint8)
    network.unlink()
    main(["write", *common])
    assert np.array_equal(open_visible(network)(planes), answer)
    assert network.stat().st_size < 2e6


@pytest.mark.nightly
def test_the_served_network_answers_as_the_trained_one(tmp_path):
    torch.manual_seed(1)
    network = VisibleGarment().eval()
    write_onnx(network, tmp_path / "visible.onnx")
    planes = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, PLANES), np.uint8)
    answer = open_visible(tmp_path / "visible.onnx")(planes)
    with torch.no_grad():
        logits = network(torch.from_numpy(planes).permute(0, 3, 1, 2).float() / 255)
    expected = 255 * torch.sigmoid(logits)[0].permute(1, 2, 0).numpy()
    assert np.abs(answer[0] - expected).max() < 2  # its weights are kept in half precision
