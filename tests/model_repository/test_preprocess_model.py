"""`preprocess` as Triton loads it, on a fake Python backend."""

import json

import numpy as np
import pytest

from pipeline.garment.visibility import Networks
from tests.fake_pb_utils import Backend, Request
from tests.pipeline.encoded_pictures import encoded
from tests.pipeline.garment.scenes import landmarks, no_hand


def inputs(**changed):
    frame, render = (np.frombuffer(encoded(64, 48, kind), np.uint8) for kind in ("JPEG", "RGBA PNG"))
    return {
        "camera_frame": frame,
        "jacket_render": render,
        "pose": np.zeros((33, 4), np.float32),
        "client_mask": np.zeros(1, np.uint8),
        "render_fit": "auto",
        "resolution": np.array([64, 64], np.int32),
        "conditioning": "masked",
        "earlier_laying": "",
        "occluded": np.zeros(1, bool),
        "with_scene": np.zeros(1, bool),
        "render_parts": np.zeros((1, 2), np.int32),
        **changed,
    }


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture
def model(backend, monkeypatch):
    model = backend.load(monkeypatch, "preprocess")
    model.initialize({})
    return model


def test_the_networks_beside_the_model_are_used(backend, monkeypatch):
    opened, asked = [], []

    def visible(planes):
        asked.append(planes)
        return np.zeros((*planes.shape[:3], 2), np.uint8)

    def open_networks(folder):
        opened.append(folder)
        return Networks(visible, no_hand)

    monkeypatch.setattr("serving.visible_garment.open_networks", open_networks)
    model = backend.load(monkeypatch, "preprocess")
    model.initialize({})
    [response] = model.execute([Request(inputs(pose=landmarks()))])
    assert response.error() is None
    assert [folder.parent.name for folder in opened] == ["preprocess"]
    assert len(asked) == 1


def test_it_returns_the_tensors_of_its_configuration(model):
    [response] = model.execute([Request(inputs())])
    found = response.arrays()
    others = {"garment_map", "scene", "scene_window"}
    assert set(found) == {"composite", "mask", "crop", "pixels", "latent_mask", "report"} | others
    assert found["composite"].shape == (48, 64, 3)
    assert found["pixels"].shape == (2, 3, 64, 64)
    assert found["latent_mask"].shape == (1, 1, 8, 8)
    assert json.loads(found["report"][0])["mask_source"] == "alpha"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"camera_frame": np.zeros(0, np.uint8)}, "IMAGE_DECODE: camera_frame is not an image"),
        ({"jacket_render": np.arange(99, dtype=np.uint8)}, "IMAGE_DECODE: jacket_render is not an image"),
        ({"client_mask": np.arange(99, dtype=np.uint8)}, "IMAGE_DECODE: client_mask is not an image"),
        ({"render_fit": "tight"}, "INVALID_INPUT: render_fit is 'tight'; it must be one of auto, "),
        (
            {"camera_frame": np.frombuffer(encoded(20_000, 2, "JPEG"), np.uint8)},
            "INVALID_INPUT: camera_frame is 20000×2 pixels; scale it down",
        ),
    ],
)
def test_a_wrong_request_fails_alone_with_its_code(model, backend, changed, message):
    good, bad = model.execute([Request(inputs()), Request(inputs(**changed))])
    assert not good.has_error()
    assert bad.error().message().startswith(message)
    assert not backend.Logger.errors, "it is the client's fault, and nothing for the server's log"


def test_a_fault_of_ours_fails_alone_and_is_logged(model, backend):
    good, bad = model.execute([Request(inputs()), Request(inputs(resolution=np.array([0, 0], np.int32)))])
    assert not good.has_error()
    assert bad.error().message().startswith("INFERENCE_FAILED: preprocess: ")
    assert len(backend.Logger.errors) == 1
