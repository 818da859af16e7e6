"""The figures of masks must tell a right mask from a wrong one, or they prove nothing."""

import json
import sys

import cv2
import numpy as np
import pytest

from benchmarks.picture import masks
from benchmarks.picture.cases import webcam_scenes
from pipeline.garment.visibility import Networks
from tests.pipeline.garment.scenes import no_hand
from training.landmarks import as_points


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One generated scene as files."""
    [scene] = webcam_scenes(1)
    path = tmp_path_factory.mktemp("scenes") / "one"
    path.mkdir()
    cv2.imwrite(str(path / "camera.jpg"), scene.frame[..., ::-1])
    cv2.imwrite(str(path / "render.png"), scene.render[..., [2, 1, 0, 3]])
    cv2.imwrite(str(path / "mask.png"), scene.mask)
    (path / "pose.json").write_text(json.dumps({"landmarks": as_points(scene.landmarks)}))
    return path.parent


@pytest.fixture(scope="module")
def scene(folder):
    [scene] = masks.read_scenes(folder)
    return scene


def test_every_kind_is_measured_and_drawn(folder, tmp_path, monkeypatch, capsys):
    """As a user starts it."""
    kinds = ["transparent", "opaque, black"]
    arguments = ["masks", "--scenes", str(folder), "--geometry", "--output", str(tmp_path), "--kinds", *kinds]
    monkeypatch.setattr(sys, "argv", arguments)
    masks.main()
    report = json.loads(capsys.readouterr().out)
    assert set(report) == set(kinds)
    assert report["transparent"]["iou"] > 0.95
    assert report["opaque, black"]["iou"] > 0.9
    assert (tmp_path / "opaque_black.png").stat().st_size > 10_000
    assert set(json.loads((tmp_path / "masks.json").read_text())["transparent"]["one"]) == set(masks.FIGURES)


@pytest.mark.parametrize("kind", masks.KINDS)
def test_a_canvas_shows_the_scene(scene, kind):
    draw, _ = masks.KINDS[kind]
    canvas = draw(scene)
    assert canvas.dtype == np.uint8
    assert canvas.any()


def test_a_network_that_finds_no_hands_paints_them_over(scene):
    def everywhere(planes):
        return np.full((*planes.shape[:3], 2), 255, np.uint8)

    right, _ = masks.measure(scene, scene.render, True, None)
    wrong, _ = masks.measure(scene, scene.render, True, Networks(everywhere, no_hand))
    assert np.nan_to_num(wrong["painted"], nan=1) >= np.nan_to_num(right["painted"])
    assert wrong["bare"] < 0.01


def test_without_hands_in_sight_they_are_painted_over(scene):
    tracked, _ = masks.measure(scene, scene.render, True, None)
    lost, _ = masks.measure(scene, scene.render, False, None)
    assert np.nan_to_num(lost["painted"], nan=1) >= np.nan_to_num(tracked["painted"])
    assert lost["iou"] <= tracked["iou"]
