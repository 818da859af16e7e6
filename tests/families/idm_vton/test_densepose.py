"""A DensePose network that the user brings, from the export to the picture."""

import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.checkpoint import locate
from export.errors import ExportError
from families.idm_vton import family
from families.idm_vton.body_parts import COLOURS
from families.idm_vton.densepose import DensePose
from families.idm_vton.pose_picture import pose_picture
from pipeline.recipe import ServedConfig
from tests.families.idm_vton.test_body_parts import SIZE, landmarks
from tests.families.idm_vton.vectors import CHECKPOINT, png

NONE = np.zeros(1, np.uint8)
PERSON = np.zeros((64, 48, 3), np.uint8)
PERSON[:32] = (255, 0, 0)  # red, and black below it


class Labels(torch.nn.Module):
    """Part 2 where the picture is red (BGR's last), 0 elsewhere."""

    def forward(self, picture):
        return 2 * (picture[:, 2] > 127).int()


class Scores(torch.nn.Module):
    def forward(self, picture):
        red = (picture[:, 2:] > 127).float()
        return torch.cat(
            [0.5 * torch.ones_like(red), torch.zeros_like(red), red, red.repeat(1, 22, 1, 1) / 2], 1
        )


class Coloured(torch.nn.Module):
    def forward(self, picture):
        return picture.flip(1)[:, :, ::4, ::4]


def torchscript(module, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(module, torch.zeros(1, 3, 512, 384)).save(path)
    return path


def onnx_file(path):
    """Labels, as ONNX: the red channel / 255, times 2."""
    tensor, node = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    graph = onnx.helper.make_graph(
        [
            node("Constant", [], ["last"], value=onnx.numpy_helper.from_array(np.array(2))),
            node("Gather", ["picture", "last"], ["red"], axis=1),
            node("Constant", [], ["scale"], value=onnx.numpy_helper.from_array(np.float32(2 / 255))),
            node("Mul", ["red", "scale"], ["parts"]),
        ],
        "labels",
        [tensor("picture", 1, [1, 3, 512, 384])],
        [tensor("parts", 1, [1, 512, 384])],
    )
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10), path
    )
    return path


@pytest.mark.parametrize("kind", ["labels", "scores", "onnx"])
def test_the_parts_are_drawn_in_their_colours(tmp_path, kind):
    make = {
        "labels": lambda: torchscript(Labels(), tmp_path / "densepose.pt"),
        "scores": lambda: torchscript(Scores(), tmp_path / "densepose.torchscript"),
        "onnx": lambda: onnx_file(tmp_path / "densepose.onnx"),
    }[kind]
    picture = DensePose(make()).picture(PERSON)
    assert picture.shape == (512, 384, 3)
    assert picture[:250].reshape(-1, 3).tolist() == [COLOURS[2].tolist()] * (250 * 384)
    assert not picture[262:].any()


def test_a_network_may_give_the_picture_itself(tmp_path):
    picture = DensePose(torchscript(Coloured(), tmp_path / "densepose.pt")).picture(PERSON)
    assert picture.shape == (128, 96, 3)
    assert picture[10, 10].tolist() == [255, 0, 0]


def test_it_goes_before_the_drawing_and_behind_the_clients_picture(tmp_path):
    network = DensePose(torchscript(Labels(), tmp_path / "densepose.pt"))
    window = (0, 0, *SIZE)
    picture, drawn_from = pose_picture(landmarks(), NONE, SIZE, window, PERSON, network)
    assert drawn_from == "densepose"
    assert picture.shape == PERSON.shape
    assert picture[10, 10].tolist() == COLOURS[2].tolist()
    assert pose_picture(landmarks(), png(PERSON), SIZE, window, PERSON, network)[1] == "client"


def test_the_export_takes_it_along(tmp_path):
    path = torchscript(Labels(), tmp_path / "mine.pt")
    located = locate(str(CHECKPOINT), {"densepose": path})
    assert path in located.files
    loaded = located.load()
    assert loaded.files["densepose.pt"] == path.read_bytes()
    assert loaded.settings["densepose"] == "densepose.pt"
    assert not loaded.stand_ins
    assert located.fingerprint() != locate(str(CHECKPOINT)).fingerprint()


def test_the_served_network_is_found(tmp_path, loaded):
    from families.idm_vton.conditioner import make_conditioner
    from pipeline.tensor_cache import TensorCache

    torchscript(Labels(), tmp_path / "densepose.pt")
    for name, content in loaded.files.items():
        (tmp_path / name).write_bytes(content)
    settings = {**loaded.settings, "densepose": "densepose.pt"}
    values = loaded.config.model_dump() | {"family": "idm_vton", "settings": settings, "max_live": 1}
    make_conditioner(ServedConfig.model_validate_json(json.dumps(values)), tmp_path, TensorCache(1))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.onnx", None, "there is no DensePose network"),
        ("mine.pkl", b"x", "is no DensePose network: give TorchScript or ONNX"),
        ("mine.pt", b"x", "does not run as a DensePose network"),
        ("mine.onnx", b"x", "does not run as a DensePose network"),
    ],
)
def test_what_is_none_is_refused(tmp_path, name, content, message):
    path = tmp_path / name
    if content:
        path.write_bytes(content)
    with pytest.raises(ExportError, match=message):
        locate(str(CHECKPOINT), {"densepose": path}).load()


def test_another_output_is_refused(tmp_path):
    path = torchscript(torch.nn.Flatten(), tmp_path / "mine.pt")
    with pytest.raises(ExportError, match=r"its output has the shape \(1, 589824\)"):
        family.load(CHECKPOINT, path)


def test_other_families_take_none(checkpoint):
    with pytest.raises(ExportError, match="takes no densepose"):
        locate(str(checkpoint), {"densepose": Path("mine.pt")})
