"""Hair before the garment, as a network tells it that is made up here."""

import numpy as np
import pytest

from pipeline.garment.hair import hair_before

SIDE = 100
SHIRT, HAIR = (150, 120, 90), (20, 30, 40)
# Its chin is at 30.
HEAD = (35, 0, 30, 30)
BESIDE, AWAY = 56, 72


@pytest.fixture
def garment():
    """From below the chin on."""
    coverage = np.zeros((SIDE, SIDE), np.uint8)
    coverage[28:] = 255
    return coverage


def strand(left, probability=0.95):
    """What a network tells of hair in 6 columns, from the chin's height down to 70."""
    visible = np.full((SIDE, SIDE), 255, np.uint8)
    visible[28:70, left : left + 6] = round(255 * (1 - probability))
    return visible


def person(left, colour):
    camera = np.full((SIDE, SIDE, 3), SHIRT, np.uint8)
    camera[28:70, left : left + 6] = colour
    return camera


@pytest.mark.parametrize(("left", "colour"), [(BESIDE, HAIR), (BESIDE, SHIRT), (AWAY, HAIR)])
def test_what_begins_at_the_head_is_hair(garment, left, colour):
    hair = hair_before(person(left, colour), strand(left), garment, HEAD)
    assert (hair[31:68, left : left + 6] == 255).all()
    hair[27:71, left - 1 : left + 7] = 0
    assert not hair.any()


@pytest.mark.parametrize(
    ("left", "probability", "colour"),
    [
        (AWAY, 0.95, SHIRT),  # old clothes
        (92, 0.95, HAIR),  # on a shoulder's end
        (BESIDE, 0.6, HAIR),  # unsure
    ],
)
def test_nothing_else_is(garment, left, probability, colour):
    assert not hair_before(person(left, colour), strand(left, probability), garment, HEAD).any()


def test_what_hides_most_of_the_garment_is_no_hair(garment):
    """But a network that has lost its way."""
    nothing = np.zeros((SIDE, SIDE), np.uint8)
    assert not hair_before(person(BESIDE, HAIR), nothing, garment, HEAD).any()


def test_where_no_garment_is_nothing_is_hidden(garment):
    """Beyond the garment the network never sees one."""
    visible = np.where(garment > 0, 255, 0).astype(np.uint8)
    assert not hair_before(person(BESIDE, HAIR), visible, garment, HEAD).any()


def test_without_a_face_there_is_no_hair(garment):
    assert not hair_before(person(BESIDE, HAIR), strand(BESIDE), garment, (0, 0, 0, 0)).any()


def test_the_head_may_lie_above_the_picture(garment):
    garment[:28] = 255
    visible = strand(BESIDE)
    visible[:28, BESIDE : BESIDE + 6] = visible[40, BESIDE]
    assert hair_before(person(BESIDE, HAIR), visible, garment, (35, -40, 30, 36)).any()


def test_the_edge_is_soft(garment):
    visible = strand(BESIDE)
    visible[28:70, BESIDE + 6] = round(255 * 0.25)  # as likely as is just believed
    assert 100 < hair_before(person(BESIDE, HAIR), visible, garment, HEAD)[50, BESIDE + 6] < 155
