"""What lucy-tiny's light reader learns, and that it remembers other cloths."""

from pathlib import Path

import numpy as np
import pytest
import torch

from training.finetune.__main__ import CHECKPOINT
from training.finetune.light import Light
from training.finetune.loop import Course, Loop
from training.finetune.tunable import Choices, Tunable
from training.lucy_tiny.fabrics import CLOTHS, UNSEEN_CLOTHS, sequins
from training.scene_light.augmentation import plain
from training.scene_light.samples import of_painted


@pytest.fixture(scope="module")
def scenes() -> list[np.ndarray]:
    """(14, 96, 96) uint8; the photo shows twice the light that the base would read."""
    found = [of_painted(5_000_000 + number)[:, 4:-4, 4:-4].copy() for number in range(6)]
    for scene in found:
        scene[11:] = np.minimum(255, scene[11:].astype(int) * 1.5).astype(np.uint8)
    return found


@pytest.mark.nightly
def test_a_light_that_all_photos_show_is_learnt(tmp_path: Path, scenes: list[np.ndarray]) -> None:
    torch.manual_seed(0)
    tunable = Tunable(CHECKPOINT, torch.device("cpu"), Choices(rank=4))
    assert set(tunable.networks) == {"unet", "light_reader"}
    part = Light(tunable, scenes[:4], scenes[4:], 4)
    other = torch.from_numpy(np.stack([of_painted(7_000_000 + number) for number in range(4)]))
    other = plain(other).scene
    before, trust_before = part._before(other)
    loop = Loop(part, Course(30, 0.003, 10, 3), tmp_path)
    loop.run()
    assert loop.best < loop.before - 0.05
    with torch.no_grad():
        after, trust = tunable.light_reader(other)
    inside = torch.nn.functional.avg_pool2d(other[:, 6:7], 2) > 0.5
    learnt = 2.2 * np.log(1.5)
    assert ((after - before).abs() * inside).sum() / (3 * inside.sum()) < 0.5 * learnt
    assert (trust - trust_before).abs().max() < 0.1
    assert (tmp_path / "light-reader-0.jpg").is_file()


def test_a_cloth_that_is_held_out_is_never_drawn_for_training() -> None:
    assert not CLOTHS.keys() & UNSEEN_CLOTHS.keys()
    fabric = sequins(np.random.default_rng(0))
    assert fabric.cloth is UNSEEN_CLOTHS["sequins"]
    assert fabric.texture.std() > 30
