"""Landmarks in files and in mirrors."""

import json

import numpy as np

from pipeline.garment.pose import EARS, HANDS, SHOULDERS
from training.landmarks import MIRRORED, as_points, from_points


def test_points_keep_every_bit() -> None:
    landmarks = np.random.default_rng(0).random((33, 4)).astype(np.float32)
    assert (from_points(json.loads(json.dumps(as_points(landmarks)))) == landmarks).all()


def test_a_mirror_exchanges_left_and_right() -> None:
    assert (MIRRORED[MIRRORED] == np.arange(33)).all()
    for left, right in (EARS, SHOULDERS, *zip(*HANDS, strict=True)):
        assert MIRRORED[left] == right
