"""A stage's model in Triton, on a fake of Triton and of its network."""

import importlib

import numpy as np
import pytest

from tests.fake_pb_utils import Backend, Request


class Stage:
    """Doubles; fails for a row of zeros."""

    def run(self, inputs):
        if not inputs["sample"].all():
            raise RuntimeError("no finite pixels")
        return {"model_output": 2 * inputs["sample"]}


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture
def unet(backend, monkeypatch, tmp_path):
    backend.install(monkeypatch)
    module = importlib.import_module("serving.stages.triton_model")
    monkeypatch.setattr(module, "open_stage", lambda *given, **more: Stage())
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "model.onnx").touch()
    model = module.TritonPythonModel()
    model.initialize({"model_repository": str(tmp_path), "model_version": "1", "model_name": "unet"})
    return model


def test_the_faulty_request_of_a_batch_fails_alone_and_is_logged(unet, backend):
    """Nothing of it was in Triton's log."""
    good, bad = np.ones((1, 3), np.float32), np.zeros((1, 3), np.float32)
    responses = unet.execute([Request({"sample": good}), Request({"sample": bad}, request_id="r-42")])
    assert responses[0].arrays()["model_output"].tolist() == [[2, 2, 2]]
    assert responses[1].error().message() == "INFERENCE_FAILED: unet: no finite pixels"
    [line] = backend.Logger.errors
    assert line.startswith("unet: request 'r-42' failed: Traceback")
    assert "RuntimeError: no finite pixels" in line
