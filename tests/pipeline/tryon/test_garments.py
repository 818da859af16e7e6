import json

import numpy as np
import pytest

from pipeline.errors import InvalidInput
from pipeline.tryon.garments import read_garments

BLOB = np.arange(10, dtype=np.uint8)


def read(*entries, blob=BLOB):
    return read_garments(json.dumps(entries), blob)


def test_none_are_none():
    assert read_garments(None, None) == []


def test_they_are_ordered_by_layer_and_then_by_place():
    garments = read(
        {"layer": 1, "render": 3, "category": "tops", "fabric": "wool"},
        {"layer": 0, "render": 2, "photo": 3},
        {"layer": 1, "photo": 2},
    )
    assert [it.index for it in garments] == [1, 0, 2]
    lowest, over, highest = garments
    assert (over.category, over.fabric, lowest.category, lowest.fabric) == ("tops", "wool", "auto", "")
    assert over.render.tolist() == [0, 1, 2]
    assert (lowest.render.tolist(), lowest.photo.tolist()) == ([3, 4], [5, 6, 7])
    assert not highest.is_rendered


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        (
            [{"layer": 0, "render": 4}, {"layer": 0, "render": 7}],
            "11 bytes of pictures are described, and 10",
        ),
        ([{"layer": 0, "render": 4}, {"layer": 0}], r"garments\.1\.jacket_render is missing"),
        ([{"layer": 0, "render": 4, "category": "hats"}], r"garments\.0\.category is 'hats'"),
        ([{"render": 4}], "not a list as"),
        ([3], "not a list as"),
        ([{"layer": 0, "render": 2}] * 5, "at most 4 are allowed, not 5"),
    ],
)
def test_what_is_wrong_is_said(entries, says):
    with pytest.raises(InvalidInput, match=says):
        read(*entries)
