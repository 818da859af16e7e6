"""What the training's commands say of a user's mistakes: each ended in a traceback, or after an hour."""

from collections.abc import Callable
from pathlib import Path

import pytest

from training.lucy_tiny.__main__ import main as tiny
from training.scene_light.__main__ import main as light
from training.visible_garment.__main__ import main as visible


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        (light, ["write"], "has no training: `python -m training.scene_light train` begins one"),
        (light, ["calibrate"], "has no training"),
        (light, ["validate", "{folder}"], "has no scenes: each is a folder with camera.jpg, render.png"),
        (light, ["train", "--held-out={folder}"], "has no scenes: each is a folder with camera.jpg"),
        (light, ["train", "--device=gpu"], "gpu is no device"),
        (light, ["train", "--painted=0"], "give more than 0 of --painted"),
        (visible, ["write"], "state.pt is missing: `train` writes it"),
        (visible, ["train"], "has no scenes: `paint` makes some"),
        (tiny, ["evaluate", "--checkpoint={folder}"], "there is no checkpoint in"),
        (tiny, ["train", "--start={folder}"], "there is no checkpoint in"),
    ],
)
def test_a_mistake_is_told_before_anything_is_computed(
    command: Callable[[list[str]], int],
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def paint(*_: object) -> None:
        pytest.fail("scenes are painted")

    monkeypatch.setattr("training.scene_light.samples.make_scene", paint)
    if "--painted=0" in arguments:
        monkeypatch.setattr("training.scene_light.samples.of_painted", lambda seed: seed)
    options = [f"--work={tmp_path / 'work'}"]
    if command is not tiny and arguments[0] == "train":
        options.append(f"--photographs={tmp_path / 'photographs'}")
    with pytest.raises((OSError, ValueError), match=said):
        command([*(it.format(folder=tmp_path) for it in arguments), *options])


@pytest.mark.parametrize("command", [light, visible, tiny])
def test_counts_are_whole_numbers(
    command: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = {
        light: ["calibrate", "--samples=0"],
        visible: ["paint", "--scenes=-1"],
        tiny: ["evaluate", "--scenes=0"],
    }
    with pytest.raises(SystemExit):
        command(arguments[command])
    assert "is no whole number of at least 1" in capsys.readouterr().err
