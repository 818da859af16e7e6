"""Validation scenes are of bodies, environments, fabrics and cuts that training never has."""

import numpy as np
import pytest

from tests.training.photographs.recorded import make_folder
from training.lucy_tiny.fabrics import CLOTHS
from training.photographs.cloths import TRAINING_FABRICS, VALIDATION_FABRICS, sample_dressing
from training.photographs.cuts import VALIDATION_CUTS, sample_cut
from training.photographs.environments import environment_paths
from training.photographs.numbering import VALIDATION_EVERY, folder_name, split_of


def test_fabrics():
    assert not TRAINING_FABRICS & VALIDATION_FABRICS
    assert TRAINING_FABRICS | VALIDATION_FABRICS == set(CLOTHS)
    rng = np.random.default_rng(0)
    assert {sample_dressing(rng, "train").fabric.name for _ in range(40)} <= TRAINING_FABRICS
    assert {sample_dressing(rng, "validation").fabric.name for _ in range(40)} == VALIDATION_FABRICS


def test_cuts():
    rng = np.random.default_rng(0)
    assert not {sample_cut(rng, "train").kind for _ in range(80)} & VALIDATION_CUTS
    assert {sample_cut(rng, "validation").kind for _ in range(40)} == VALIDATION_CUTS


def test_environments(tmp_path):
    folder = make_folder(tmp_path / "photographs") / "environments"
    names = {
        split: {path.stem for path in environment_paths(folder, split)} for split in ("train", "validation")
    }
    assert names == {"train": {"bpy-city"}, "validation": {"pmndrs-lobby"}}
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="photographs assets"):
        environment_paths(tmp_path / "empty", "train")


def test_a_number_is_in_one_split():
    splits = [split_of(number) for number in range(2 * VALIDATION_EVERY)]
    assert splits.count("validation") == 2
    assert folder_name(7) != folder_name(8)
