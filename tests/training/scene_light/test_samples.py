import json

import cv2
import numpy as np
import pytest

from training.scene_light.samples import COUNT, SIDE, landmarks, of_painted, of_photograph


def write_scene(folder):
    """A grey person in a wood; the jacket's photograph is half as bright as its render."""
    folder.mkdir(parents=True)
    frame = np.full((120, 160, 3), 90, np.uint8)
    render = np.zeros((120, 160, 4), np.uint8)
    render[40:110, 50:110] = (200, 120, 60, 255)
    visible = np.zeros((120, 160), np.uint8)
    visible[40:100, 50:110] = 255
    target = frame.copy()
    target[visible > 0] = (100, 60, 30)
    for name, picture in (
        ("camera.jpg", frame),
        ("render.png", render),
        ("target.jpg", target),
        ("mask.png", visible),
    ):
        cv2.imwrite(str(folder / name), picture, [cv2.IMWRITE_JPEG_QUALITY, 98])
    points = [{"x": 0.5, "y": 0.5, "z": 0.0, "visibility": 0.9}] * 33
    (folder / "pose.json").write_text(json.dumps({"landmarks": points}))
    return folder


def test_a_painted_scene_has_planes_and_a_photograph():
    sample = of_painted(5)
    assert sample.shape == (COUNT, SIDE, SIDE)
    assert sample.dtype == np.uint8
    np.testing.assert_array_equal(sample, of_painted(5))
    assert (sample[6] > 127).mean() > 0.05, "there is a garment"
    different = np.abs(sample[0:3].astype(int) - sample[11:]).max(axis=0) > 40
    assert (different & (sample[6] < 1)).mean() < 0.01, "outside it, camera and photograph are the same"


def test_a_photograph_shows_what_its_mask_says(tmp_path):
    sample = of_photograph(write_scene(tmp_path / "scene"))
    covered = sample[6] > 250
    assert covered.any()
    assert sample[3:6, covered].mean(axis=1) == pytest.approx([60, 120, 200], abs=2)
    assert sample[11:, covered].mean(axis=1) == pytest.approx([30, 60, 100], abs=8)


def test_windows_differ_by_their_seed_alone(tmp_path):
    folder = write_scene(tmp_path / "scene")
    first, second, again = (of_photograph(folder, seed) for seed in (1, 2, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != second).any()


def test_an_incomplete_folder_is_named(tmp_path):
    folder = write_scene(tmp_path / "scene")
    (folder / "mask.png").unlink()
    with pytest.raises(FileNotFoundError, match="lacks one of"):
        of_photograph(folder)
    (folder / "pose.json").unlink()
    assert not landmarks(folder).any()
