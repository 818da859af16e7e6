"""Every network against what upstream's computed."""

import json

import numpy as np
import pytest
import torch

from families.idm_vton.attention import transformer_blocks
from families.idm_vton.features import NAMES, unpack
from families.idm_vton.garment import pixel_values, squeezed
from families.idm_vton.stages import GARMENT_NET, IMAGE_ENCODER, TEXT_ENCODER, UNET
from tests.families.idm_vton.vectors import DATA, RESOLUTION, load, picture

TOLERANCE = 1e-4


def tensors(name):
    return {key: torch.from_numpy(value) for key, value in load(name).items()}


def call(stage, *inputs):
    with torch.no_grad():
        return stage.module(*inputs)


@pytest.fixture(scope="module")
def features(stages):
    """GarmentNet's, packed."""
    given = tensors("garmentnet_forward")
    timestep = given["timestep"].float()[None]
    return call(stages[GARMENT_NET], given["sample"], timestep, given["encoder_hidden_states"])


@pytest.mark.nightly
def test_garment_net_gives_what_every_block_reads(stages, features):
    expected = load("garmentnet_forward")
    found = unpack(features, stages[GARMENT_NET].module.depths, torch.float32)
    assert len(found) == 22
    for number, tokens in enumerate(found):
        assert np.abs(tokens.numpy() - expected[f"feature_{number:02}"]).max() < TOLERANCE


def test_the_blocks_are_counted_in_the_order_in_which_they_run(stages):
    """The middle block is the last that is constructed, and not the last that runs."""
    unet = stages[UNET].module.unet
    names = {module: name for name, module in unet.named_modules()}
    order = json.loads((DATA / "garment_feature_order.json").read_text())
    assert [names[block] for block in transformer_blocks(unet)] == order


def tryon(stages, features, both_rows=False, **changes):
    given = tensors("tryonnet_forward") | changes
    rows = [torch.cat([it if both_rows else torch.zeros_like(it), it]) for it in features]
    return call(
        stages[UNET],
        given["sample"],
        given["timestep"].float().expand(2),
        given["encoder_hidden_states"],
        given["text_embeds"],
        given["time_ids"],
        given["image_embeds"],
        *rows,
    ).numpy()


def test_tryon_net_is_upstreams(stages, features):
    expected = load("tryonnet_forward")["output"]
    assert np.abs(tryon(stages, features) - expected).max() < TOLERANCE


@pytest.mark.parametrize("mistake", ["features in both rows", "no image tokens", "width before height"])
def test_what_upstream_warns_of_makes_a_difference(stages, features, mistake):
    given = tensors("tryonnet_forward")
    changes = {
        "features in both rows": {"both_rows": True},
        "no image tokens": {"image_embeds": torch.zeros_like(given["image_embeds"])},
        "width before height": {"time_ids": given["time_ids"][:, [1, 0, 2, 3, 5, 4]]},
    }[mistake]
    assert np.abs(tryon(stages, features, **changes) - given["output"].numpy()).max() > 0.1


def test_the_text_encoders_are_upstreams(stages):
    given = tensors("text")
    order = ("negative", "prompt", "cloth")
    ids = [torch.cat([given[f"{name}_{text}"] for text in order]) for name in ("input_ids", "input_ids_2")]
    embeds, pooled = (it.numpy() for it in call(stages[TEXT_ENCODER], *ids))
    names = ("negative_prompt_embeds", "prompt_embeds", "cloth_prompt_embeds")
    assert np.abs(embeds - np.concatenate([given[name] for name in names])).max() < TOLERANCE
    pooled_names = ("negative_pooled_prompt_embeds", "pooled_prompt_embeds")
    assert np.abs(pooled[:2] - np.concatenate([given[name] for name in pooled_names])).max() < TOLERANCE


def test_the_garments_tokens_are_upstreams(stages):
    """From its picture on. Of the unconditional row the picture is zeros, and not the tokens."""
    expected = load("resampler")
    values = pixel_values(squeezed(picture("cloth"), RESOLUTION))
    assert np.abs(values[1:] - expected["pixel_values"]).max() < 1e-6
    assert not values[0].any()
    found = call(stages[IMAGE_ENCODER], torch.from_numpy(values)).numpy()
    assert np.abs(found - expected["image_embeds"]).max() < TOLERANCE


def test_garment_net_is_cut_after_its_last_features(stages):
    """What would come after has no effect on them, and is neither exported nor computed."""
    names = {name.split(".")[1] for name, _ in stages[GARMENT_NET].module.named_parameters()}
    assert names == {"conv_in", "time_embedding", "down_blocks", "mid_block", "up_blocks"}
    last = stages[GARMENT_NET].module.unet.up_blocks[-1].attentions[-1].transformer_blocks[-1]
    assert [name for name, _ in last.named_parameters()] == ["norm1.weight", "norm1.bias"]


def test_features_cross_in_two_tensors(stages, features):
    """They have the shapes that the denoiser is exported with."""
    example = stages[UNET].example
    assert [it.shape[1:] for it in features] == [example[name].shape[1:] for name in NAMES]
