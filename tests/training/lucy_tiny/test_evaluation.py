import numpy as np
import pytest

from training.lucy_tiny.evaluation import measure, obeys, spared_render, verdicts
from training.lucy_tiny.scenes import blend, make_scene


@pytest.fixture(scope="module")
def scenes():
    return [make_scene(seed, 128) for seed in range(3)]


def plain(frame, render, landmarks, prompt, steps):
    return blend(frame, render[..., :3], render[..., 3])


def test_a_pipeline_that_does_nothing_gains_nothing(scenes):
    figures = measure(plain, scenes)
    assert figures["steps 4"] == figures["naive"]
    met = verdicts(figures, figures)
    assert not any(done for demand, done in met.items() if "naive" in demand or "ssim" in demand)


def test_a_pipeline_that_returns_the_target_meets_every_requirement(scenes):
    answers = {scene.frame.tobytes(): scene.target for scene in scenes}
    figures = measure(lambda frame, *_: answers[frame.tobytes()], scenes)
    assert all(verdicts(figures, figures).values())


def test_a_light_of_one_step_must_be_as_good_as_that_of_four(scenes):
    figures = measure(plain, scenes)
    worse = figures | {"steps 1": figures["steps 1"] | {"psnr": figures["steps 4"]["psnr"] - 0.2}}
    [demand] = (it for it in verdicts(figures, figures) if it.startswith("1 step"))
    assert verdicts(figures, figures)[demand]
    assert not verdicts(figures, worse)[demand]


def test_a_pipeline_that_obeys_prompts_is_distinguished_from_one_that_ignores_them(scenes):
    def obedient(frame, render, landmarks, prompt, steps):
        picture = plain(frame, render, landmarks, prompt, steps).astype(float)
        if "warm" in prompt:
            picture[..., 0] *= 1.2
        x = np.linspace(-60, 60, picture.shape[1])[None, :, None]
        picture += x * prompt.endswith("right") - x * prompt.endswith("left")
        if "satin" in prompt:
            picture = 128 + 1.5 * (picture - 128)
        return picture.clip(0, 255).astype(np.uint8)

    assert min(obeys(obedient, scenes).values()) == 1
    assert max(obeys(plain, scenes).values()) == 0


def test_every_pipeline_gets_the_same_mask(scenes):
    assert (spared_render(scenes[0])[..., 3] == scenes[0].mask).all()
