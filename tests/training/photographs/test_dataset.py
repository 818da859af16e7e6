import dataclasses
import json

import cv2
import numpy as np
import pytest

from tests.training.photographs.recorded import make_folder, recorded_geometry
from training.photographs.camera import Webcam, sample_webcam
from training.photographs.canvases import draw_canvas
from training.photographs.cloths import albedo, sample_dressing
from training.photographs.dataset import Lighting, Photographs, draw_render, light_from_lamps, photograph
from training.photographs.dyes import sample_dyes
from training.photographs.export import write_scenes
from training.photographs.storage import PARTS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("photographs"))


def even_light(geometry, level=1.0):
    count = len(geometry.meta["lights"])
    return Lighting(np.full((count, 3), level), np.full((*geometry.size, 3), 0.2, np.float32), "even")


def test_shapes_and_types(folder):
    found = Photographs(folder, "train").sample(np.random.default_rng(0))
    height, width = found.geometry.size
    for name, channels in (("camera", 3), ("render", 4), ("target", 3), ("canvas", 3)):
        picture = getattr(found, name)
        assert picture.shape == (height, width, channels), name
        assert picture.dtype == np.uint8, name
    assert found.mask.shape == (height, width)
    assert 0 <= found.mask.min() < found.mask.max() <= 1
    assert found.landmarks.shape == (33, 4)


def test_a_seed_is_a_photograph(folder):
    first, again = (Photographs(folder, "train").sample(np.random.default_rng(5)) for _ in range(2))
    assert (first.target == again.target).all()
    assert (first.canvas == again.canvas).all()
    other = Photographs(folder, "train").sample(np.random.default_rng(6))
    assert (first.target != other.target).any()


def test_another_fabric_changes_the_jacket_alone(monkeypatch):
    def without_noise(*scene):
        return dataclasses.replace(sample_webcam(*scene), noise=(0.0, 0.0))

    monkeypatch.setattr("training.photographs.dataset.sample_webcam", without_noise)
    geometry = recorded_geometry()
    rng = np.random.default_rng(2)
    light = even_light(geometry, 0.1)
    one, other = (
        photograph(geometry, light, sample_dressing(rng, "train"), np.random.default_rng(9)) for _ in range(2)
    )
    assert (one.camera == other.camera).all()
    inside = one.mask > 0.9
    assert np.abs(one.target[inside].astype(int) - other.target[inside]).mean() > 3
    far = (one.mask == 0) & (geometry.coverage("worn") == 0)
    assert np.abs(one.target[far].astype(int) - other.target[far]).max() <= 2  # blur of the edge


def test_the_render_does_not_know_the_light():
    geometry = recorded_geometry()
    dressing = sample_dressing(np.random.default_rng(2), "train")
    one, other = (
        photograph(geometry, even_light(geometry, level), dressing, np.random.default_rng(9))
        for level in (0.1, 0.02)
    )
    assert (one.render == other.render).all()
    assert (draw_render(geometry, dressing, np.random.default_rng(0))[..., 3] > 0).any()


def test_lamps_light_the_person():
    geometry = recorded_geometry()
    light = light_from_lamps(geometry, np.random.default_rng(4))
    assert geometry.combine("camera", light.weights).max() > 0
    assert light.background.shape == (*geometry.size, 3)


def test_the_folder_may_grow(folder, tmp_path):
    source = make_folder(tmp_path / "own")
    photographs = Photographs(source, "train")
    assert len(photographs) == 1
    (source / "train" / "2-000000").rename(source / "train" / ".2-000001.77.partial")
    photographs.refresh()
    assert len(photographs) == 0
    (source / "train" / ".2-000001.77.partial").rename(source / "train" / "2-000001")
    photographs.refresh()
    assert len(photographs) == 1


def test_scenes_as_files(folder, tmp_path):
    """The layout that `make bench-photographs` reads."""
    photographs = Photographs(folder, "validation")
    write_scenes(photographs, tmp_path / "scenes", 2)
    first, second = sorted((tmp_path / "scenes").iterdir())
    assert {path.name for path in first.iterdir()} == {
        "camera.jpg", "render.png", "target.jpg", "mask.png", "pose.json", "meta.json",
    }  # fmt: skip
    render = cv2.imread(str(first / "render.png"), cv2.IMREAD_UNCHANGED)
    assert render.shape == (*photographs.geometry(0).size, 4)
    pose = json.loads((second / "pose.json").read_text())
    assert len(pose["landmarks"]) == 33
    assert set(pose["landmarks"][0]) == {"x", "y", "z", "visibility"}


def test_scenes_need_geometries(folder, tmp_path):
    empty = Photographs(folder, "validation", oldest=99)
    with pytest.raises(FileNotFoundError, match="no validation geometries yet"):
        write_scenes(empty, tmp_path, 1)


def test_older_generators_can_be_left_out(folder):
    assert len(Photographs(folder, "train", oldest=2)) == 1
    assert len(Photographs(folder, "train", oldest=3)) == 0


def test_albedo_follows_trim_and_panels():
    geometry = recorded_geometry()
    dressing = sample_dressing(np.random.default_rng(2), "train")
    plain = albedo(dressing, geometry.uv_target, np.full_like(geometry.trim, 128))
    dark = albedo(dressing, geometry.uv_target, np.full_like(geometry.trim, 64))
    lined = geometry.uv_target.copy()
    lined[..., 2] = np.where(lined[..., 2] > 0, 5, 0)
    body = (geometry.uv_target[::2, ::2, 2] == 1) & (geometry.uv_target[1::2, 1::2, 2] == 1)
    assert np.allclose(dark[body], plain[body] / 2, atol=0.05)
    inside = albedo(dressing, lined, geometry.trim)
    assert np.allclose(inside[body], dressing.lining, atol=1e-4)


@pytest.mark.parametrize("kind", ["video", "black", "scaled"])
def test_canvases_show_the_jacket_unchanged(kind):
    rng = np.random.default_rng(0)
    frame = np.full((48, 64, 3), 120, np.uint8)
    render = np.zeros((48, 64, 4), np.uint8)
    render[10:30, 20:40] = (200, 30, 30, 255)
    canvas = draw_canvas(frame, render, rng, kind)
    assert (canvas[10:30, 20:40] == (200, 30, 30)).all()
    if kind == "black":
        assert not canvas[:8].any()
    else:
        assert abs(float(canvas[22:26, 44:50].mean()) - 120) < 20


def test_a_webcam_is_a_curve_that_rises():
    webcam = Webcam(1.0, (1.0, 1.0, 1.0), 0.5, 1.1, 0.0, (0.0, 0.0), 90, 1)
    ramp = np.repeat(np.linspace(0, 2, 64, dtype=np.float32)[None, :, None], 3, axis=2)
    picture = webcam.picture(np.repeat(ramp, 4, axis=0)).astype(int)
    assert (np.diff(picture, axis=1) >= 0).all()
    brighter = dataclasses.replace(webcam, exposure=1.5).picture(np.repeat(ramp, 4, axis=0))
    assert brighter.mean() > picture.mean()
    noisy = dataclasses.replace(webcam, noise=(0.02, 0.02))
    assert (noisy.picture(ramp) != webcam.picture(ramp)).any()


def test_a_dyed_person_wears_the_same_jacket():
    geometry = recorded_geometry()
    light, dressing = even_light(geometry, 0.1), sample_dressing(np.random.default_rng(2), "train")
    dyes = sample_dyes(geometry, np.random.default_rng(3))
    assert dyes.shape == (len(PARTS), 3)
    assert (dyes[[PARTS.index("background"), PARTS.index("jacket")]] == 1).all()
    dyes = np.ones_like(dyes)
    dyes[PARTS.index("head")] = 0.0
    # The camera's exposure follows what it sees, so that only a black head stays what it is.
    found = photograph(geometry, light, dressing, np.random.default_rng(9), dyes)
    plain = photograph(geometry, light, dressing, np.random.default_rng(9))
    head = cv2.erode((geometry.parts_camera == PARTS.index("head")).astype(np.uint8), np.ones((3, 3))) > 0
    assert head.any()
    assert found.camera[head].mean() < 0.5 * plain.camera[head].mean()
    assert (found.render == plain.render).all()


@pytest.mark.parametrize(("scale", "cameras"), [(0.5, 0.5), (1.0, 1.0), (2.0, 1.0)])
def test_a_larger_picture_is_a_better_cameras(scale, cameras):
    """One of twice the size is no small camera's, made larger."""
    geometry = recorded_geometry()
    geometry = dataclasses.replace(geometry, meta={**geometry.meta, "scale": scale})
    rng = np.random.default_rng(2)
    found = photograph(geometry, even_light(geometry, 0.1), sample_dressing(rng, geometry.meta["split"]), rng)
    assert found.meta["webcam"]["scale"] == cameras


def test_a_small_picture_has_the_cameras_grain_and_sharpness_in_proportion():
    """As if the full picture had been made smaller."""
    light = np.full((64, 64, 3), 0.2, np.float32)
    webcam = Webcam(1.0, (1.0, 1.0, 1.0), 0.0, 1.0, 0.0, (0.02, 0.02), 90, 1)
    half = dataclasses.replace(webcam, scale=0.5)
    expected = cv2.resize(webcam.picture(np.repeat(np.repeat(light, 2, 0), 2, 1)), (64, 64),
                          interpolation=cv2.INTER_AREA)  # fmt: skip
    assert half.picture(light).std() == pytest.approx(expected.std(), rel=0.2)
    assert half.jpeg(half.picture(light)).shape == light.shape
