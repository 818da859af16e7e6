"""The verdicts on what is displayed while a person moves, and the films of that person."""

import numpy as np
import pytest

from benchmarks.moving.film import MOTIONS, film
from benchmarks.moving.verdicts import verdicts
from benchmarks.picture.cases import webcam_scenes


def row(way, keyframes, inside, edge, flicker=0.5):
    errors = {"inside": inside, "edge": edge, "flicker": flicker}
    return {"motion": "walking", "fabric": "wool", "way": way, "keyframes": keyframes, **errors}


def judged(light):
    rows = [
        row("light", "every 1.5 s", *light),
        row("light as a film", "every 1.5 s", *light),
        row("blend", "every 0.5 s", 20, 30),
        row("picture", "as fast as they come", 15, 25),
        row("film", "each frame", 9, 12),
    ]
    return [it.met for it in verdicts(rows)]


def test_each_demand_is_judged():
    assert judged((10, 12)) == [True, True, True]
    assert judged((16, 12)) == [True, False, True]
    assert judged((21, 12)) == [False, False, True]
    assert judged((7, 12)) == [True, True, False]
    assert judged((10, 12, 0.3)) == [True, True, False]


@pytest.mark.nightly
def test_motions_differ():
    [scene] = webcam_scenes(1)
    at = {name: [it.landmarks[11, :2] for it in film(scene, 0.4, how)][-1] for name, how in MOTIONS.items()}
    places = np.array(list(at.values()))
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + np.eye(len(places))
    assert apart.min() > 1e-3
