import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.recipe import PipelineConfig, Recipe, ServedConfig, explain

RECIPE = {"scheduler": "DDIMScheduler", "steps": 4, "strength": 0.5, "guidance_scale": 5.0}
CONFIG = {
    "resolution": [256, 512],
    "conditioning": "masked",
    "prompt": "a {fabric} jacket",
    "keyframe": RECIPE,
    "capture": RECIPE | {"steps": 25},
}


def explained(kind, data):
    with pytest.raises(ValidationError) as refused:
        kind.model_validate(data)
    return explain(refused.value)


@given(st.integers(1, 100), st.floats(0.01, 1), st.floats(0.01, 1))
def test_diffusers_executes_as_many_steps_as_the_recipe_has(steps, strength, end):
    if steps > strength * end * 1000:
        assert "use fewer steps" in explained(
            Recipe, RECIPE | {"steps": steps, "strength": strength, "denoising_end": end}
        )
        return
    recipe = Recipe(**RECIPE | {"steps": steps, "strength": strength, "denoising_end": end})
    executed = int(int(recipe.schedule_steps * strength) * end)
    assert executed == steps, "of n, diffusers executes int(n · strength), and of those the first share"


def test_a_request_overrides_some_of_a_recipe():
    recipe = Recipe(**RECIPE)
    changed = recipe.override(steps=2, strength=None, guidance_scale=1.0)
    assert (changed.steps, changed.strength, changed.guidance_scale) == (2, 0.5, 1.0)
    assert recipe.override(steps=None) is recipe


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"steps": 0}, "steps is 0; it should be greater than or equal to 1"),
        ({"steps": 101}, "steps is 101"),
        ({"strength": 0.0}, "strength is 0.0; it should be greater than 0"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"guidance_scale": float("inf")}, "guidance_scale is inf"),
        ({"steps": 25, "strength": 1e-300}, "need a schedule of more than 1000 steps"),
    ],
)
def test_a_wrong_override_is_one_sentence(wrong, says):
    with pytest.raises(ValueError, match=says) as refused:
        Recipe(**RECIPE).override(**wrong)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("scale", "guided"), [(0, False), (1, False), (1.01, True), (7.5, True)])
def test_guidance_begins_above_one(scale, guided):
    assert Recipe(**RECIPE | {"guidance_scale": scale}).guided == guided


@pytest.mark.parametrize(
    ("keyframe", "live", "decodes"),
    [
        ({}, None, True),
        ({"decoder": "linear"}, None, False),
        ({"decoder": "linear"}, {}, True),
        ({"decoder": "linear"}, {"picture_share": 0.0}, False),
    ],
)
def test_whether_keyframes_need_the_vaes_decoder_depends_on_every_mode_but_captures(keyframe, live, decodes):
    def lit(scene_light):
        return RECIPE | {"relight_sigma": 3.0, "scene_light": {"picture_share": 0.5} | scene_light}

    modes = {"keyframe": lit(keyframe) if keyframe else RECIPE, "live": live if live is None else lit(live)}
    assert PipelineConfig.model_validate(CONFIG | modes).keyframes_decode == decodes


@pytest.mark.parametrize("given_as", [{}, {"resolution": None}])
def test_a_mode_has_the_files_resolution_unless_it_has_its_own(given_as):
    config = PipelineConfig.model_validate(
        CONFIG | {"keyframe": RECIPE | given_as, "capture": RECIPE | {"resolution": [512, 512]}}
    )
    assert config.keyframe.resolution == (256, 512)
    assert config.resolutions == [(256, 512), (512, 512)]
    assert config.modes == {"keyframe": config.keyframe, "capture": config.capture}


def test_one_resolution_of_both_modes_is_counted_once():
    assert PipelineConfig.model_validate(CONFIG).resolutions == [(256, 512)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"resolution": [255, 256]}, "resolution.0 is 255"),
        ({"resolution": None}, "resolution is None"),
        ({"keyframe": None}, "keyframe is None"),
        ({"keyframe": RECIPE | {"stepz": 4}}, "keyframe.stepz; "),
        (
            {"capture": RECIPE | {"resolution": [264, 256]}},
            "every side is a multiple of 64, and 264 is not",
        ),
        ({"capture": RECIPE | {"steps": 90, "strength": 0.01}}, "capture: 90 steps at strength 0.01"),
    ],
)
def test_a_wrong_file_is_explained_with_the_place(change, says):
    assert says in explained(PipelineConfig, CONFIG | change)


def test_the_served_file_has_what_the_profile_decides():
    served = ServedConfig.model_validate(CONFIG | {"max_live": 3, "batch_sizes": [1, 2]})
    assert (served.max_live, served.batch_sizes) == (3, (1, 2))
    again = ServedConfig.model_validate(json.loads(served.model_dump_json()))
    assert again == served, "the export writes it, and `tryon` reads it"
    assert "max_live" in explained(ServedConfig, CONFIG)
    assert "max_live is 0" in explained(ServedConfig, CONFIG | {"max_live": 0})


def test_the_export_does_not_take_a_served_file_for_a_checkpoints():
    assert "max_live" in explained(PipelineConfig, CONFIG | {"max_live": 3})
