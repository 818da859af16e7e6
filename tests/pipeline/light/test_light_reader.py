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
