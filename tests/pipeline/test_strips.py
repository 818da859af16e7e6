from hypothesis import given
from hypothesis import strategies as st

from pipeline.strips import ROWS, strips


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 200))
def test_strips_cover_every_row_once_in_order(start, length, rows):
    found = [row for strip in strips(start, start + length, rows) for row in range(strip.start, strip.stop)]
    assert found == list(range(start, start + length))


@given(st.integers(0, 500), st.integers(1, 500))
def test_no_strip_has_more_rows_than_it_may(start, length):
    assert all(strip.stop - strip.start <= ROWS for strip in strips(start, start + length))
