"""The loss, and variants of scenes: both know that light transport is linear."""

import pytest
import torch

from pipeline.light.light_reader import LightReader
from training.scene_light.augmentation import plain, varied
from training.scene_light.learning import losses, relit, squared_error, truth
from training.scene_light.level_fit import fit_level
from training.scene_light.samples import COUNT, SIDE


@pytest.fixture
def rows():
    """Two garments of code value 128; the photograph of the first is as bright, that of the second darker."""
    rows = torch.zeros((2, COUNT, SIDE, SIDE), dtype=torch.uint8)
    rows[:, :3] = 100
    rows[:, 3:6] = 128
    rows[:, 6, 20:80, 20:80] = 255
    rows[:, 7] = 255
    rows[0, 11:], rows[1, 11:] = 128, 90
    return rows


def test_the_truth_is_the_photograph_over_the_render(rows):
    light, weight = truth(plain(rows))
    inside = weight[:, 0] > 0.99
    torch.testing.assert_close(
        light[0, :, inside[0]], torch.zeros(3, int(inside[0].sum())), atol=1e-3, rtol=0
    )
    ratio = torch.tensor(((90 / 255 + 0.055) / (128 / 255 + 0.055)) ** 2.4).log()
    assert light[1, 0, inside[1]].mean() == pytest.approx(float(ratio), abs=0.03)


def test_the_true_light_gives_the_photograph_and_the_smallest_loss(rows):
    batch = plain(rows)
    light, _ = truth(batch)
    spread = torch.full((2, 2), 0.1)
    right, wrong = (losses(it, spread, batch) for it in (light, light + 0.4))
    assert squared_error(relit(batch.scene, light), batch).max() < 1e-3
    assert (right.decibels < wrong.decibels).all()
    assert wrong.level == pytest.approx([0.4, 0.4], abs=1e-3)
    assert wrong.shading.max() < 1e-2


def test_the_expected_error_is_learnt_from_the_found_one(rows):
    batch = plain(rows)
    light, _ = truth(batch)
    small, right, large = (
        losses(light + 0.5, torch.tensor([[spread, 0.01]] * 2), batch).total.mean()
        for spread in (0.1, 0.5, 2.0)
    )
    assert right < small
    assert right < large


def test_variants_of_a_scene_keep_its_light_in_proportion(rows):
    """Where nothing is clipped, camera and photograph get the same exposure, and a dye changes render and
    photograph alike: E only changes with the exposure."""
    generator = torch.Generator().manual_seed(3)
    many = rows[:1].expand(64, -1, -1, -1)
    batch = varied(many, generator)
    light, weight = truth(batch)
    area = weight.sum(dim=(2, 3))
    level = (light * weight).sum(dim=(2, 3)) / area
    camera = batch.scene[:, :3].amax(dim=(2, 3))
    exposure = torch.log(((camera + 0.055) / 1.055) ** 2.4 / ((100 / 255 + 0.055) / 1.055) ** 2.4)
    safe = (batch.target.amax(dim=(1, 2, 3)) < 0.95) & (exposure.abs().amax(dim=1) < 0.8)
    assert safe.sum() > 20
    torch.testing.assert_close(level[safe], exposure[safe], atol=0.12, rtol=0)
    assert level.std() > 0.2
    assert batch.scene[:, 3:6].amax(dim=(1, 2, 3)).std() > 0.02, "some are dyed"


@pytest.mark.nightly
def test_the_level_is_fitted_to_what_mean_colours_tell(rows):
    """Photographs that are as much brighter as their shirt: a linear rule, which leaves hardly an error."""
    torch.manual_seed(1)
    many = rows[:1].repeat(64, 1, 1, 1)
    many[:, 9] = 255  # the body
    gain = torch.rand(64) * 0.8 + 0.4
    many[:, 0:3] = (90 * gain[:, None, None, None]).to(torch.uint8)
    many[:, 11:] = (128 * gain[:, None, None, None] ** 0.5).clamp(0, 255).to(torch.uint8)
    network = LightReader()
    before, after = fit_level(network, [plain(many)])
    assert before > 0.2
    assert after < before / 4
    again, _ = fit_level(network, [plain(many)])
    assert again == pytest.approx(after, abs=0.02)
