"""Where the garment's light comes from: the model's picture, or the scene by the light reader."""

import numpy as np
import pytest

from pipeline.recipe import Recipe
from tests.pipeline.tryon.fakes import RECIPE, SIDE, Models, report_of

SCENE = RECIPE | {"relight_sigma": 3.0, "scene_light": {"picture_share": 0.25, "detail_gain": 0.5}}


async def test_the_light_reader_is_asked_once_for_a_mode_of_the_scenes_light(start):
    models = Models()
    answer = await start(models, keyframe=SCENE)()
    assert models.names.count("light_reader") == 1
    [encode], [decode] = models.inputs_of("encode"), models.inputs_of("decode")
    assert encode["with_scene"].tolist() == [True]
    light = decode["scene_light"].as_numpy()
    assert light.shape == (64, 64, 3)
    np.testing.assert_allclose(light, -0.5)
    assert decode["picture_share"].tolist() == [0.25]
    assert decode["detail_gain"].tolist() == [0.5]
    assert report_of(answer)["light_confidence"] == 0.75


@pytest.mark.parametrize("options", [{"mode": "capture"}, {"prompt": "dim light"}])
async def test_another_mode_and_a_prompt_of_ones_own_take_the_pictures(start, options):
    models = Models()
    answer = await start(models, keyframe=SCENE)(**options)
    assert "light_reader" not in models.names
    [encode], [decode] = models.inputs_of("encode"), models.inputs_of("decode")
    assert encode["with_scene"].tolist() == [False]
    assert decode["scene_light"].as_numpy().shape == (1, 1, 3)
    assert decode["detail_gain"].tolist() == [1]
    assert "light_confidence" not in report_of(answer)


async def test_previews_are_in_the_scenes_light(start):
    models = Models()
    await start(models, capture=SCENE | {"steps": 6})("capture", preview_interval=1)
    decoded = models.inputs_of("decode")
    assert len(decoded) > 1
    assert {inputs["scene_light"].as_numpy().shape for inputs in decoded} == {(64, 64, 3)}


async def test_where_the_picture_has_no_share_nothing_is_painted(start):
    models = Models()
    alone = SCENE | {"scene_light": {"picture_share": 0}}
    answer = await start(models, keyframe=alone)(session="one")
    assert models.names == ["preprocess", "light_reader", "postprocess"]
    [laid] = models.inputs_of("postprocess")
    assert laid["pixels"].shape == (1, 3, SIDE, SIDE)
    assert laid["scene_light"].as_numpy().shape == (64, 64, 3)
    report = report_of(answer)
    assert (report["mode"], report["steps"]) == ("ai_enhanced", 0)


async def test_a_linear_decoder_takes_the_place_of_the_networks(start):
    models = Models()
    linear = SCENE | {"scene_light": {"picture_share": 0.1, "decoder": "linear"}}
    run = start(models, keyframe=linear)
    await run()
    assert models.names.count("unet") == RECIPE["steps"]
    assert "decode" not in models.names
    [laid] = models.inputs_of("postprocess")
    assert laid["pixels"].shape == (1, 3, SIDE, SIDE)
    await run(prompt="dim light")
    assert models.names.count("decode") == 1, "all of the picture's light counts"


async def test_without_a_garment_nobody_reads_the_light(start):
    models = Models("no_garment")
    await start(models, keyframe=SCENE)()
    assert "light_reader" not in models.names


def test_the_scenes_light_needs_a_render_that_it_is_laid_on():
    with pytest.raises(ValueError, match="takes a relight_sigma above 0"):
        Recipe(**RECIPE | {"scene_light": {}})
