import numpy as np
import pytest
import torch

from pipeline.garment.visibility import PLANES, SIDE
from serving.visible_garment import open_network
from training.visible_garment import training
from training.visible_garment.__main__ import main
from training.visible_garment.composing import Sample
from training.visible_garment.network import VisibleGarment, write_onnx
from training.visible_garment.scenes import Scenes, paint
from training.visible_garment.training import Training, train


def a_batch(count=4, side=64):
    """Samples whose answer is in one of the planes."""
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(count):
        planes = rng.integers(0, 256, (side, side, PLANES), np.uint8)
        planes[..., 7] = 255 * (rng.random((side // 8, side // 8)) > 0.5).repeat(8, 0).repeat(8, 1)
        weight = np.ones((side, side), np.float32)
        samples.append(Sample(planes, planes[..., 7], 255 - planes[..., 7], weight, weight))
    return samples


def test_the_network_is_small():
    count = sum(parameter.numel() for parameter in VisibleGarment().parameters())
    assert count < 2e6


def test_the_loss_falls():
    learning, batch = Training(1e9), a_batch()
    losses = []
    for _ in range(30):
        learning.run_step(batch)
        losses.append(learning.loss)
    assert losses[-1] < 0.93 * losses[0]  # a running mean over 50 steps


def test_a_pixel_without_weight_teaches_nothing():
    batch = a_batch()
    silent = [
        Sample(one.planes, one.drawn, one.visible, 0 * one.drawn_weight, 0 * one.visible_weight)
        for one in batch
    ]
    learning = Training(1e9)
    learning.run_step(silent)
    assert learning.loss == 0


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    paint(folder / "painted", 2)
    return folder


def test_a_stopped_training_goes_on(painted, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "BATCH", 3)
    read = lambda: [(Scenes(painted / "painted"), 1.0)]  # noqa: E731
    first = train(read, 0.02, tmp_path)
    assert first.step >= 1
    again = train(read, 0.02, tmp_path)
    assert again.step == first.step
    for name, value in first.average.state_dict().items():
        assert torch.equal(value, again.average.state_dict()[name]), name
    assert train(read, 0.04, tmp_path).step > first.step


def test_one_command_trains_and_writes_what_the_server_opens(painted, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "BATCH", 3)
    network = tmp_path / "visible.onnx"
    common = ["--work", str(painted), "--network", str(network)]
    main(["train", "--minutes", "0.01", "--photographs", str(tmp_path / "none"), *common])
    planes = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, PLANES), np.uint8)
    answer = open_network(network)(planes)
    assert (answer.shape, answer.dtype) == ((1, SIDE, SIDE, 2), np.uint8)
    network.unlink()
    main(["write", *common])
    assert np.array_equal(open_network(network)(planes), answer)
    assert network.stat().st_size < 2e6


def test_the_served_network_answers_as_the_trained_one(tmp_path):
    torch.manual_seed(1)
    network = VisibleGarment().eval()
    write_onnx(network, tmp_path / "visible.onnx")
    planes = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, PLANES), np.uint8)
    answer = open_network(tmp_path / "visible.onnx")(planes)
    with torch.no_grad():
        logits = network(torch.from_numpy(planes).permute(0, 3, 1, 2).float() / 255)
    expected = 255 * torch.sigmoid(logits)[0].permute(1, 2, 0).numpy()
    assert np.abs(answer[0] - expected).max() < 2  # its weights are kept in half precision
