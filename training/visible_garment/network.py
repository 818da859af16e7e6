"""The network: an encoder and a decoder with short cuts (U-Net), 0.8 million parameters.

Its first layer halves the resolution, since the full one costs most of the time and tells least.
"""

import logging
import warnings
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.garment.visibility import PLANES, SIDE

# Channels at a half, a quarter, … of the window's side.
_WIDTHS = (16, 32, 64, 96, 160)


class _Block(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
        )


class VisibleGarment(nn.Module):
    """(N, PLANES, H, W) in 0…1 → logits of `drawn` and `visible`, (N, 2, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(PLANES, _WIDTHS[0], 4, 2, 1, bias=False), nn.BatchNorm2d(_WIDTHS[0]), nn.ReLU()
        )
        pairs = list(pairwise(_WIDTHS))
        self.down = nn.ModuleList(_Block(few, many, 2) for few, many in pairs)
        self.stay = nn.ModuleList(_Block(many, many) for _, many in pairs)
        self.up = nn.ModuleList(nn.Conv2d(many, few, 1) for few, many in pairs)
        self.join = nn.ModuleList(_Block(few, few) for few, _ in pairs)
        self.last = nn.ConvTranspose2d(_WIDTHS[0], 2, 4, 2, 1)

    def forward(self, planes: Tensor) -> Tensor:
        features = self.first(planes)
        passed = [features]
        for down, stay in zip(self.down, self.stay, strict=True):
            features = down(features)
            features = features + stay(features)
            passed.append(features)
        passed.pop()
        for up, join in reversed(list(zip(self.up, self.join, strict=True))):
            features = functional.interpolate(up(features), scale_factor=2.0) + passed.pop()
            features = features + join(features)
        return self.last(features)


class _Served(nn.Module):
    """From bytes to bytes, so that the server converts nothing."""

    def __init__(self, network: VisibleGarment):
        super().__init__()
        self.network = network

    def forward(self, planes: Tensor) -> Tensor:
        logits = self.network(planes.permute(0, 3, 1, 2).float() / 255)
        return torch.round(255 * torch.sigmoid(logits)).to(torch.uint8).permute(0, 2, 3, 1)


def write_onnx(network: VisibleGarment, path: Path) -> None:
    """The network as pipeline.garment.visibility calls it; its weights are kept in half precision."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    served = _Served(network).eval()
    example = torch.zeros(1, SIDE, SIDE, PLANES, dtype=torch.uint8)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is missing
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns about its own internals
        program = torch.onnx.export(
            served,
            (example,),
            input_names=["planes"],
            output_names=["shares"],
            opset_version=18,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    weights = [
        one for one in model.graph.initializer if one.data_type == TensorProto.FLOAT and len(one.dims) > 1
    ]
    for weight in weights:
        half = numpy_helper.from_array(numpy_helper.to_array(weight).astype("float16"), f"{weight.name}.half")
        cast = helper.make_node("Cast", [half.name], [weight.name], to=TensorProto.FLOAT)
        model.graph.initializer.remove(weight)
        model.graph.initializer.append(half)
        model.graph.node.insert(0, cast)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
