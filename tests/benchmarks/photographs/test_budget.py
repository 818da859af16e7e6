"""What a truth is worth, on scenes whose truth is known."""

import sys

import pytest
import torch

from benchmarks.photographs import budget
from benchmarks.photographs.scene import scenes_in
from pipeline.recipe import Recipe, SceneLight
from tests.benchmarks.photographs.test_photographs import write_scene

RECIPE = Recipe(
    scheduler="DDIMScheduler",
    steps=1,
    strength=1,
    guidance_scale=1,
    resolution=(128, 128),
    relight_sigma=3,
    scene_light=SceneLight(),
)


@pytest.fixture
def scene(tmp_path):
    write_scene(tmp_path / "scenes" / "a")
    [scene] = scenes_in(tmp_path)
    return scene


class Unlit(torch.nn.Module):
    """Tells no light at all."""

    def forward(self, scene):
        return torch.zeros(1, 3, 48, 48), torch.ones(1, 1)


@pytest.fixture
def gains(scene):
    return budget.budget(scene, Unlit(), RECIPE, None)


def test_the_more_is_true_the_nearer_to_the_photograph(gains):
    assert gains["mask"] == pytest.approx(0), "no light, the composite"
    assert 0 < gains["mask, level's colour"] < gains["mask, level's brightness"] < gains["mask, level"]
    assert gains["mask, level"] + 3 < gains["mask, level, shading"]
    assert gains["mask"] < gains["mask, shading"] < gains["mask, level, shading"]


def test_the_more_the_brightness_is_wrong_the_worse(gains):
    wrong = [gains[f"mask; brightness wrong by {error}"] for error in (0.1, 0.2, 0.3, 0.4)]
    assert wrong == sorted(wrong, reverse=True)
    assert wrong[0] < gains["mask, level's brightness"]


def test_as_a_user_starts_it(scene, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["budget", str(tmp_path / "scenes")])
    assert budget.main() == 0
    printed = capsys.readouterr().out
    assert "a: as served" in printed
    assert "mask, level, shading" in printed
