"""`postprocess` as Triton loads it, on a fake Python backend."""

import cv2
import numpy as np
import pytest

from tests.fake_pb_utils import Backend, Request


def inputs(**changed):
    mask = np.zeros((48, 64), np.uint8)
    mask[10:40, 10:50] = 255
    return {
        "pixels": np.full((1, 3, 64, 64), -0.5, np.float32),
        "composite": np.full((48, 64, 3), 200, np.uint8),
        "mask": mask,
        "garment_map": np.zeros((1, 1), np.uint8),
        "crop": np.array([0, -8, 64, 64], np.int32),
        "relight_sigma": np.zeros(1, np.float32),
        "detail_gain": np.ones(1, np.float32),
        "earlier_light": np.zeros((1, 1, 4), np.float32),
        "scene_light": np.zeros((1, 1, 3), np.float32),
        "picture_share": np.zeros(1, np.float32),
        "output_format": "png",
        **changed,
    }


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture
def model(backend, monkeypatch):
    model = backend.load(monkeypatch, "postprocess")
    model.initialize({})
    return model


def test_it_pastes_the_models_picture_into_the_frame(model):
    [response] = model.execute([Request(inputs())])
    picture = cv2.imdecode(response.arrays()["image"], cv2.IMREAD_COLOR)
    assert picture[25, 30].tolist() == [64, 64, 64]
    assert picture[2, 2].tolist() == [200, 200, 200]
    assert response.arrays()["light"].shape == (1, 1, 3)


@pytest.mark.parametrize(("output_format", "start"), [("png", b"\x89PNG"), ("jpeg", b"\xff\xd8\xff")])
def test_the_format_is_the_one_asked_for(model, output_format, start):
    [response] = model.execute([Request(inputs(output_format=output_format))])
    assert response.arrays()["image"].tobytes().startswith(start)


def test_relighting_returns_the_light(model):
    [response] = model.execute([Request(inputs(relight_sigma=np.array([3], np.float32)))])
    assert response.arrays()["light"].shape == (64, 64, 3)


def test_a_fault_fails_alone_and_is_logged(model, backend):
    broken = Request(inputs(crop=np.array([0, 0, 0, 0], np.int32)))
    good, bad = model.execute([Request(inputs()), broken])
    assert not good.has_error()
    assert bad.error().message().startswith("INFERENCE_FAILED: postprocess: ")
    assert len(backend.Logger.errors) == 1
