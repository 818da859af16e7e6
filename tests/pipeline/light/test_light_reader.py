"""The network that reads a scene's light, untrained."""

import pytest
import torch

from pipeline.garment.scene import PLANES, SIDE
from pipeline.light.light_reader import MAP, LightReader, to_code, to_linear


@pytest.fixture
def reader():
    torch.manual_seed(0)
    return LightReader().eval()


@pytest.fixture
def scene():
    generator = torch.Generator().manual_seed(1)
    scene = torch.rand((2, len(PLANES), SIDE, SIDE), generator=generator)
    scene[:, 6:8] = (scene[:, 6:8] > 0.5).float()
    return scene


def exposed(scene, gain):
    darker = scene.clone()
    darker[:, :3] = to_code(to_linear(scene[:, :3]) * gain)
    return darker


@torch.no_grad()
def test_the_light_is_a_map_and_the_confidence_a_share(reader, scene):
    log_light, confidence = reader(scene)
    assert log_light.shape == (2, 3, MAP, MAP)
    assert confidence.shape == (2, 1)
    assert ((confidence >= 0) & (confidence <= 1)).all()


@torch.no_grad()
def test_half_the_exposure_is_half_the_light(reader, scene):
    before, after = (reader.regress(exposed(scene, gain))[0] for gain in (1, 0.5))
    assert (before - after).mean() == pytest.approx(0.69, abs=0.1)


@torch.no_grad()
def test_the_shading_has_no_level_of_its_own(reader, scene):
    torch.nn.init.normal_(reader.shading.weight)
    log_light, _, brightness = reader.regress(scene)
    weight = torch.nn.functional.avg_pool2d(scene[:, 6:7], 2)
    mean = (log_light * weight).sum(dim=(2, 3)) / weight.sum(dim=(2, 3))
    assert log_light.std() > 0.05
    torch.testing.assert_close(mean, brightness.expand(-1, 3), atol=2e-3, rtol=0)


@torch.no_grad()
def test_without_confidence_the_light_follows_unusual_exposures_alone(reader, scene):
    reader.calibration.copy_(torch.tensor([-2.0, -1.0]))  # every expected error is too large
    usual = exposed(scene, 0.9 / torch.exp(reader.regress(scene)[2]).max())
    for gain, least, most in ((1, 0, 0), (0.05, -3, -0.5)):
        log_light, confidence = reader(exposed(usual, gain))
        assert confidence.max() == 0
        assert least <= log_light.mean() <= most
        assert log_light.std(dim=(1, 2, 3)).max() < 1e-6, "and has no shading"


@torch.no_grad()
def test_each_part_of_the_light_counts_as_far_as_it_is_reliable(reader, scene):
    torch.nn.init.normal_(reader.shading.weight)
    reader.calibration.copy_(torch.tensor([8.0, 9.0]))  # every expected error is small
    log_light, *rest = reader.regress(scene)
    both, _ = reader.trusted(scene, log_light, *rest)
    torch.testing.assert_close(both, log_light)
    reader.reliability.copy_(torch.tensor([0.5, 0.25]))
    less, _ = reader.trusted(scene, log_light, *rest)
    weight = torch.nn.functional.avg_pool2d(scene[:, 6:7], 2) + 1e-4
    before, after = (
        (it * weight).sum(dim=(2, 3), keepdim=True) / weight.sum(dim=(2, 3), keepdim=True)
        for it in (log_light, less)
    )
    torch.testing.assert_close(after.mean(dim=1), 0.5 * before.mean(dim=1))
    colours = (level - level.mean(dim=1, keepdim=True) for level in (before, after))
    torch.testing.assert_close(*colours)
    torch.testing.assert_close(less - after, 0.25 * (log_light - before))


@torch.no_grad()
def test_an_unsure_level_keeps_its_shading_until_it_is_half_as_sure(reader, scene):
    torch.nn.init.normal_(reader.shading.weight)
    log_light, spread, brightness = reader.regress(scene)
    for confidence, share in ((0.8, 1.0), (0.5, 1.0), (0.2, 0.4)):
        unsure = spread[:, :1].mean() / (1 - confidence)
        reader.calibration.copy_(torch.tensor([0.0, unsure]))
        served, told = reader.trusted(scene, log_light, spread[:, :1].mean().expand_as(spread), brightness)
        assert told.mean().item() == pytest.approx(confidence, abs=1e-4)
        maps = (it - it.mean(dim=(2, 3), keepdim=True) for it in (served, log_light))
        one, other = (it.mean(dim=1).std() for it in maps)
        assert (one / other).item() == pytest.approx(share, abs=0.02)


def test_weights_from_before_the_reliability_was_measured_load(reader):
    state = {name: value for name, value in reader.state_dict().items() if name != "reliability"}
    reader.load_state_dict(state)
    assert reader.reliability.tolist() == [1, 1]
