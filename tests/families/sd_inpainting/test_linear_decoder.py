import pytest
import torch

from export.errors import ExportError
from export.stages import Stage
from families.sd_inpainting.linear_decoder import FILE, LinearDecoder
from families.sd_inpainting.patch_encoder import PatchEncoder
from families.sd_inpainting.stages import linear_decoder_files
from pipeline.recipe import PipelineConfig, Recipe

MODE = {"scheduler": "DDIMScheduler", "steps": 1, "strength": 1, "guidance_scale": 1, "relight_sigma": 3}
LINEAR = MODE | {"scene_light": {"picture_share": 0.1, "decoder": "linear"}}


@pytest.fixture
def encoder():
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn((4, 3, 8, 8), generator=generator) / 20
    return PatchEncoder(weight, torch.randn(4, generator=generator), torch.zeros(4))


def config(keyframe):
    common = {"resolution": (256, 256), "conditioning": "composite", "prompt": ""}
    return PipelineConfig(**common, keyframe=Recipe(**keyframe), capture=Recipe(**MODE))


def test_the_encoder_maps_the_picture_back_to_its_latents(encoder):
    latents = torch.randn((2, 4, 3, 5), generator=torch.Generator().manual_seed(2)) / 9
    latents += encoder.convolution.bias.detach()[:, None, None]
    pixels = LinearDecoder.inverse_of(encoder.convolution.weight.detach(), encoder.convolution.bias)(latents)
    assert pixels.shape == (2, 3, 24, 40)
    assert pixels.abs().max() < 1, "clamped pixels would prove nothing"
    assert torch.allclose(encoder(pixels)[0], latents, atol=1e-4)


def test_what_is_written_is_read(encoder, tmp_path):
    files = linear_decoder_files(config(LINEAR), [Stage("vae_encoder", encoder, {}, ())])
    (tmp_path / FILE).write_bytes(files[FILE])
    latents = torch.randn((1, 4, 2, 2))
    convolution = encoder.convolution
    expected = LinearDecoder.inverse_of(convolution.weight.detach(), convolution.bias.detach())(latents)
    assert torch.equal(LinearDecoder.read(tmp_path / FILE)(latents), expected)


def test_a_checkpoint_without_such_a_mode_has_no_file(encoder):
    assert linear_decoder_files(config(MODE), [Stage("vae_encoder", encoder, {}, ())]) == {}


def test_an_encoder_that_is_not_linear_is_refused():
    stages = [Stage("vae_encoder", torch.nn.Identity(), {}, ())]
    with pytest.raises(ExportError, match=r'keyframe decodes linearly.*use "decoder": "vae"'):
        linear_decoder_files(config(LINEAR), stages)
