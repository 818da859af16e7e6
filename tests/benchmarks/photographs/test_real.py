"""The self-check on real photographs, with answers that are known."""

import json
import sys
from contextlib import asynccontextmanager

import cv2
import numpy as np
import pytest

from benchmarks.photographs import command_line, figures, real
from benchmarks.photographs.dressing import Answer
from benchmarks.photographs.flattening import LIGHTS, coarse_light, flattened
from benchmarks.photographs.portraits import portraits
from pipeline.light.scene_light import to_linear

PORTRAITS = portraits()


@pytest.fixture(params=PORTRAITS, ids=lambda it: it.name)
def portrait(request):
    return request.param


def test_a_portrait_has_cloth_and_a_pose_on_its_picture(portrait):
    assert portrait.photograph.dtype == np.uint8
    assert portrait.cloth.shape == portrait.photograph.shape[:2]
    assert 0.1 < (portrait.cloth > 127).mean() < 0.5
    assert portrait.landmarks.shape == (33, 4)
    assert (portrait.landmarks[[0, 11, 12, 23, 24], 3] > 0.5).all()


def test_flat_cloth_has_no_coarse_light_and_the_photograph_has(portrait):
    scene = flattened(portrait, "as it is")
    render = cv2.imdecode(scene.jacket_render, cv2.IMREAD_UNCHANGED)
    inside = cv2.erode(portrait.cloth, np.ones((9, 9), np.uint8)) > 250
    before, after = (
        coarse_light(to_linear(picture.astype(np.float32) / 255), portrait.cloth)[inside].std()
        for picture in (portrait.photograph, render[..., :3])
    )
    assert after < 0.45 * before
    assert (scene.target == portrait.photograph).mean() > 0.99


def test_the_camera_sees_another_shirt_in_the_same_light(portrait):
    scene = flattened(portrait, "as it is")
    inside = cv2.erode(portrait.cloth, np.ones((9, 9), np.uint8)) > 250
    outside = portrait.cloth == 0
    shirt = scene.frame[inside].astype(int)
    assert np.ptp(shirt, axis=1).mean() < 12, "grey, whatever the cloth is"
    assert np.abs(scene.frame[outside].astype(int) - portrait.photograph[outside]).mean() < 4
    light = coarse_light(to_linear(portrait.photograph.astype(np.float32) / 255), portrait.cloth)[inside]
    assert np.corrcoef(light, shirt.mean(axis=1))[0, 1] > 0.9


def test_other_light_changes_camera_and_photograph_but_not_the_render(portrait):
    usual, darker = (flattened(portrait, light) for light in ("as it is", "darker"))
    assert darker.target.mean() < 0.9 * usual.target.mean()
    assert darker.frame.mean() < 0.9 * usual.frame.mean()
    assert (darker.jacket_render == usual.jacket_render).all()


def run(picture_of, monkeypatch, tmp_path):
    @asynccontextmanager
    async def fake(address):
        async def dress(scene, mode="keyframe", **options):
            return Answer(picture_of(scene), scene.visible, {})

        yield dress

    monkeypatch.setattr(command_line, "through_the_server", fake)
    monkeypatch.setattr(real, "portraits", lambda: PORTRAITS[:1])
    monkeypatch.setattr(sys, "argv", ["real", "--output", str(tmp_path)])
    assert real.main() == 0
    return json.loads((tmp_path / "real-photographs.json").read_text())


def test_the_photograph_itself_is_nearer_than_the_flattened_render(monkeypatch, tmp_path, capsys):
    report = run(lambda scene: scene.target, monkeypatch, tmp_path)
    assert [it["met"] for it in report["verdicts"]] == [True]
    assert set(report["figures"]["astronaut"]) == set(LIGHTS)
    assert "public domain" in report["sources"]["astronaut"]
    assert (tmp_path / "scenes.png").stat().st_size > 10_000
    assert "met      astronaut" in capsys.readouterr().out


def test_the_flattened_render_is_not_nearer_than_itself(monkeypatch, tmp_path):
    report = run(lambda scene: scene.composite, monkeypatch, tmp_path)
    assert [it["met"] for it in report["verdicts"]] == [False]
    assert report["means"]["flat"] == report["means"]["keyframe"]


def test_the_figures_are_those_of_the_path_traced_scenes(portrait):
    scene = flattened(portrait, "as it is")
    assert figures.measure(scene, scene.target, scene.visible).psnr > 60
    assert figures.measure(scene, scene.composite, scene.alpha).psnr > 15
