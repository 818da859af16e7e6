import numpy as np
import pytest
import torch

from export.onnx_export import write_onnx
from families.sdxl_inpainting import full_size
from serving.stages.onnx_runtime import OnnxStage


@pytest.mark.nightly
def test_sdxl_in_half_precision_is_a_valid_graph(tmp_path, monkeypatch):
    """A tenth as wide. A graph that joins two types is written without an error, and taken by no runtime."""
    narrow = {
        "block_out_channels": (32, 64, 128),
        "attention_head_dim": (1, 2, 4),
        "transformer_layers_per_block": (1, 1, 1),
        "sample_size": 16,
    }
    monkeypatch.setattr(full_size, "UNET", full_size.UNET | narrow)
    monkeypatch.setattr(full_size, "VAE", full_size.VAE | {"sample_size": 128})
    stage = full_size.describe_stage("sdxl_unet", torch.float16)
    write_onnx(stage, tmp_path, lambda doing: None)
    found = OnnxStage(tmp_path / "model.onnx").run({name: it.numpy() for name, it in stage.example.items()})
    assert np.isfinite(found["model_output"]).all()
