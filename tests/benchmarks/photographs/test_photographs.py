"""The evaluation on path-traced scenes, with answers that are known."""

import json
import sys
from contextlib import asynccontextmanager

import cv2
import numpy as np
import pytest

from benchmarks.photographs import __main__ as command
from benchmarks.photographs import command_line, figures
from benchmarks.photographs.dark_room import share_kept
from benchmarks.photographs.dressing import Answer
from benchmarks.photographs.scene import scenes_in
from benchmarks.photographs.verdicts import verdicts

HEIGHT, WIDTH = 120, 160


def write_scene(folder):
    """A jacket with a hand before it; in the photograph it is darker, and its right side more so."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    frame = cv2.GaussianBlur(random.integers(40, 200, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 5)
    render = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    render[30:110, 40:120] = (120, 140, 180, 255)
    render[30:110, 40:120, :3] += random.integers(0, 30, (80, 80, 3), np.uint8)
    visible = render[..., 3].copy()
    visible[60:80, 60:85] = 0  # the hand
    shade = np.linspace(0.9, 0.5, WIDTH)[None, :, None]
    target = np.where(visible[..., None] > 0, render[..., :3] * shade, frame).astype(np.uint8)
    for name, picture in (
        ("camera.jpg", frame),
        ("render.png", render),
        ("target.jpg", target),
        ("mask.png", visible),
    ):
        cv2.imwrite(str(folder / name), picture, [cv2.IMWRITE_JPEG_QUALITY, 99])
    points = [{"x": 0.5, "y": 0.5, "z": 0.0, "visibility": 0.0} for _ in range(33)]
    for number, (x, y) in {15: (0.5, 0.58), 17: (0.42, 0.55), 19: (0.41, 0.58), 21: (0.42, 0.62)}.items():
        points[number] |= {"x": x, "y": y, "visibility": 0.9}
    (folder / "pose.json").write_text(json.dumps({"landmarks": points}))


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b"):
        write_scene(tmp_path / "scenes" / name)
    return tmp_path / "scenes"


@pytest.fixture
def scene(folder):
    return scenes_in(folder)[0]


def test_the_photograph_is_the_best_answer(scene):
    perfect = figures.measure(scene, scene.target, scene.visible)
    assert perfect.psnr > 60
    assert (perfect.hand, perfect.bare, perfect.iou) == (0, 0, 1)
    assert perfect.delta_e == pytest.approx(0, abs=1e-6)
    assert perfect.shading == pytest.approx(1)
    assert perfect.detail == pytest.approx(1)
    composite = figures.measure(scene, scene.composite, scene.alpha)
    assert composite.psnr < 20
    assert composite.hand == 1
    assert composite.shading is None, "it changes nothing"
    gain = figures.measure(scene, figures.best_gain(scene), scene.visible)
    assert composite.psnr + 2 < gain.psnr < perfect.psnr


def test_a_jacket_that_is_not_painted_is_bare(scene):
    half = scene.visible.copy()
    half[:70] = 0
    assert 0.3 < figures.measure(scene, scene.target, half).bare < 0.6


def test_a_change_outside_is_seen(scene):
    other = scene.target.copy()
    other[:20] //= 2
    assert figures.measure(scene, other, scene.visible).outside > 1


def dresser(picture_of):
    async def dress(scene, mode="keyframe", **options):
        return Answer(picture_of(scene), scene.visible, {"light_confidence": 0.5})

    return dress


async def test_in_a_dark_room_the_right_jacket_keeps_a_tenth_and_a_sticker_all(scene):
    assert await share_kept(dresser(lambda it: it.target), scene) == pytest.approx(0.1, abs=0.03)
    assert await share_kept(dresser(lambda it: it.composite), scene) == pytest.approx(1, abs=0.05)


def test_the_verdicts_name_what_is_not_met(scene):
    composite = figures.measure(scene, scene.composite, scene.alpha)
    perfect = figures.measure(scene, scene.target, scene.visible)
    good = verdicts([composite], {"keyframe": [perfect], "capture": [perfect]})
    assert all(it.met for it in good)
    bad = verdicts(
        [composite, composite], {"keyframe": [perfect, composite], "capture": [composite, composite]}
    )
    not_met = [it.demand for it in bad if not it.met]
    assert "keyframe: share of the hands that is painted over ≤ 0.02" in not_met
    assert "capture no worse than keyframe (0.1 dB)" in not_met


def test_the_command_writes_figures_and_a_sheet(folder, tmp_path, monkeypatch, capsys):
    @asynccontextmanager
    async def fake(address):
        yield dresser(lambda it: it.target)

    monkeypatch.setattr(command_line, "through_the_server", fake)
    monkeypatch.setattr(sys, "argv", ["photographs", str(folder), "--output", str(tmp_path / "out")])
    assert command.main() == 0
    report = json.loads((tmp_path / "out" / "photographs.json").read_text())
    assert report["scenes"] == ["a", "b"]
    assert set(report["means"]) == {"composite", "best gain", "keyframe", "capture"}
    assert report["confidence"] == [0.5, 0.5]
    assert all(it["met"] for it in report["verdicts"])
    assert (tmp_path / "out" / "scenes.png").stat().st_size > 10_000
    assert "met      keyframe: PSNR" in capsys.readouterr().out


def test_a_folder_without_scenes_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no scene"):
        scenes_in(tmp_path)


def test_the_command_says_in_a_sentence_that_there_are_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["photographs", str(tmp_path / "nothere")])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    assert "nothere holds no scene" in capsys.readouterr().err
