"""MediaPipe's network of hands, converted anew from npm's package, is the one that is served."""

import numpy as np
import onnx
import pytest

from serving.visible_garment import FOLDER, HANDS_FILE
from training.visible_garment import __main__ as command
from training.visible_garment import hand_network


@pytest.mark.nightly  # npm fetches 13 MB
def test_the_served_network_is_the_converted_one(tmp_path):
    written = tmp_path / HANDS_FILE
    assert command.main(["hands", "--network", str(written)]) == 0
    assert written.read_bytes() == (FOLDER / HANDS_FILE).read_bytes()


def test_its_weights_are_halves_and_nothing_in_it_is_left_over():
    graph = onnx.load(FOLDER / HANDS_FILE).graph
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    assert {weight.dtype for weight in weights.values() if weight.size > 1} == {np.dtype(np.float16)}
    used = {name for node in graph.node for name in node.input} | {it.name for it in graph.output}
    assert set(weights) | {output for node in graph.node for output in node.output} <= used


def test_another_package_is_refused(monkeypatch):
    monkeypatch.setattr(hand_network, "_INTEGRITY", "another")
    monkeypatch.setattr(
        hand_network.subprocess,
        "run",
        lambda command, cwd, **how: (hand_network.Path(cwd) / "hands.tgz").write_bytes(b"x"),
    )
    with pytest.raises(ValueError, match="another checksum"):
        hand_network.fetch()
