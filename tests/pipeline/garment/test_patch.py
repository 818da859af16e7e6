import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.garment.patch import Patch, window, with_room

SIZE = (40, 30)
places, sides = st.integers(-5, 35), st.integers(1, 20)


@given(places, places, sides, sides, st.tuples(places, places, sides, sides))
def test_a_box_shows_what_lies_in_it(x, y, width, height, box):
    patch = Patch(x, y, np.ones((height, width), np.uint8))
    rows, columns = np.mgrid[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
    expected = (rows >= y) & (rows < y + height) & (columns >= x) & (columns < x + width)
    assert np.array_equal(patch.within(box), expected)
    assert patch.within(patch.box).all()


@given(st.integers(0, 39), st.integers(0, 29), sides, sides, st.integers(0, 50))
def test_an_enlarged_box_is_clipped_to_the_frame(x, y, width, height, room):
    found = np.zeros(SIZE[::-1], bool)
    found[window(with_room((x, y, width, height), room, SIZE))] = True
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    expected = (rows >= y - room) & (rows < y + height + room)
    expected &= (columns >= x - room) & (columns < x + width + room)
    assert np.array_equal(found, expected)
