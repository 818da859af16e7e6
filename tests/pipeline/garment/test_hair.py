"""Hair before the garment, as a network tells it that is made up here."""

import numpy as np
import pytest

from pipeline.garment.hair import hair_before

SIDE = 100


@pytest.fixture
def head():
    """At the top, 30 wide; its chin is at 30."""
    place = np.zeros((SIDE, SIDE), np.uint8)
    place[:30, 35:65] = 1
    return place


@pytest.fixture
def garment():
    """From below the chin on."""
    coverage = np.zeros((SIDE, SIDE), np.uint8)
    coverage[30:] = 255
    return coverage


def strand(visible, probability=0.95, left=62):
    """Hair in 6 columns, from the chin's height down to 70."""
    visible[28:70, left : left + 6] = round(255 * (1 - probability))
    return visible


def all_visible():
    return np.full((SIDE, SIDE), 255, np.uint8)


def test_what_hangs_down_from_the_head_is_hair(garment, head):
    hair = hair_before(strand(all_visible()), garment, head)
    assert (hair[32:68, 62:68] == 255).all()
    hair[27:71, 61:69] = 0
    assert not hair.any()


@pytest.mark.parametrize(
    "visible",
    [
        strand(all_visible(), left=80),  # away from the head
        strand(all_visible(), probability=0.6),  # unsure
        all_visible(),
    ],
)
def test_nothing_else_is(garment, head, visible):
    assert not hair_before(visible, garment, head).any()


def test_where_no_garment_is_nothing_is_hidden(garment, head):
    """Beyond the garment the network never sees one."""
    visible = all_visible()
    visible[garment == 0] = 0
    assert not hair_before(visible, garment, head).any()


def test_without_a_face_there_is_no_hair(garment):
    assert not hair_before(strand(all_visible()), garment, np.zeros((SIDE, SIDE), np.uint8)).any()


def test_the_edge_is_soft(garment, head):
    visible = strand(all_visible())
    visible[28:70, 68] = round(255 * 0.25)  # as likely as is just believed
    assert 100 < hair_before(visible, garment, head)[50, 68] < 155
