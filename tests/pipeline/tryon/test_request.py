import pytest

from pipeline.errors import InvalidInput
from pipeline.recipe import Recipe, SceneLight
from pipeline.tryon.request import TryonRequest

RECIPES = {
    "keyframe": Recipe(scheduler="DDIMScheduler", steps=4, strength=0.5, guidance_scale=1.0),
    "capture": Recipe(scheduler="DDIMScheduler", steps=25, strength=0.5, guidance_scale=5.0),
}


def read(**inputs):
    return TryonRequest.read(inputs.get, RECIPES)


@pytest.mark.parametrize(
    ("mode", "live", "output_format"),
    [("keyframe", True, "jpeg"), ("capture", False, "png"), ("batch", False, "png")],
)
def test_a_mode_has_its_defaults(mode, live, output_format):
    assert read(mode=mode) == TryonRequest(
        recipe=RECIPES["keyframe" if live else "capture"],
        live=live,
        patient=mode == "batch",
        session=None,
        render_fit="auto",
        category="auto",
        fabric="",
        prompt=None,
        seed=0,
        output_format=output_format,
        preview_interval=None,
    )


@pytest.mark.parametrize(
    ("chosen", "where"),
    [
        ({"steps": 7}, "recipe"),
        ({"strength": 0.25}, "recipe"),
        ({"guidance_scale": 3.0}, "recipe"),
    ],
)
def test_a_request_overrides_the_recipe(chosen, where):
    [(name, value)] = chosen.items()
    assert getattr(getattr(read(mode="capture", **chosen), where), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fabric", "red silk"),
        ("prompt", "dim light"),
        ("seed", 2**40),
        ("render_fit", "body"),
        ("output_format", "jpeg"),
        ("preview_interval", 5),
    ],
)
def test_a_request_chooses(name, value):
    assert getattr(read(mode="capture", **{name: value}), name) == value


def test_only_keyframes_have_a_session():
    assert read(mode="keyframe", session="anna").session == "anna"
    assert read(mode="capture", session="anna").session is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"mode": "film"}, "mode is 'film'; it must be one of keyframe, capture, batch, video"),
        ({"mode": None}, "mode is None"),
        ({"mode": "capture", "steps": 0}, "steps is 0; it should be greater than or equal to 1"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"steps": 25, "strength": 1e-9}, "use fewer steps or a higher strength"),
        ({"guidance_scale": -1.0}, "guidance_scale is -1"),
        ({"output_format": "gif"}, "output_format is 'gif'; it must be jpeg, png or light"),
        ({"preview_interval": 0}, "preview_interval is 0; it counts steps and must be at least 1"),
    ],
)
def test_a_wrong_option_is_refused_with_its_name(wrong, says):
    with pytest.raises(InvalidInput, match=says):
        read(**{"mode": "keyframe"} | wrong)


LIT = Recipe.model_validate(RECIPES["keyframe"].model_dump() | {"relight_sigma": 3.0})


def test_a_light_takes_the_mode_live_where_there_is_one():
    live = LIT.override(steps=1)
    recipes = {**RECIPES, "keyframe": LIT, "live": live}
    wanted = {"mode": "keyframe", "output_format": "light"}
    found = TryonRequest.read(wanted.get, recipes)
    assert (found.recipe.steps, found.output_format, found.live) == (1, "light", True)
    assert TryonRequest.read({"mode": "keyframe"}.get, recipes).recipe.steps == LIT.steps
    assert TryonRequest.read((wanted | {"steps": 3}).get, recipes).recipe.steps == 3
    del recipes["live"]
    assert TryonRequest.read(wanted.get, recipes).recipe.steps == LIT.steps


def test_a_keyframe_of_no_steps_takes_the_scenes_light_alone():
    lit = LIT.model_copy(update={"scene_light": SceneLight(picture_share=0.1, detail_gain=0.7)})
    wanted = {"mode": "keyframe", "steps": 0}
    found = TryonRequest.read(wanted.get, {**RECIPES, "keyframe": lit}).recipe
    assert (found.paints, found.laid_detail_gain) == (False, 0.7)
    asking = TryonRequest.read((wanted | {"prompt": "dim"}).get, {**RECIPES, "keyframe": lit}).recipe
    assert (asking.paints, asking.steps) == (True, 1), "a prompt is for the model that paints"


def test_a_keyframe_of_no_steps_takes_one_where_nothing_reads_the_light():
    found = read(mode="keyframe", steps=0).recipe
    assert (found.paints, found.steps) == (True, 1)


def test_a_checkpoint_without_a_light_answers_a_picture():
    found = TryonRequest.read({"mode": "keyframe", "output_format": "light"}.get, RECIPES)
    assert (found.output_format, found.recipe) == ("jpeg", RECIPES["keyframe"])


def test_live_is_no_mode_that_a_client_may_name():
    with pytest.raises(InvalidInput, match="must be one of keyframe, capture"):
        TryonRequest.read({"mode": "live"}.get, {**RECIPES, "live": LIT})
