import pytest

from frontend_proxy.errors import Overloaded
from frontend_proxy.places import Places


def most_of(places: Places, holder: str | None) -> int:
    """How many places one holder gets."""
    for count in range(1000):
        try:
            places.take(holder)
        except Overloaded:
            return count
    raise AssertionError("there is no limit")


def test_one_more_than_there_are_is_refused_and_an_error_frees_its_place() -> None:
    places = Places(2, "captures")
    with places.held("one"):
        with pytest.raises(RuntimeError), places.held("one"):
            raise RuntimeError
        with (
            places.held("one"),
            pytest.raises(Overloaded, match="all 2 places for captures"),
            places.held("one"),
        ):
            pytest.fail("a third one was let in")
    assert places.taken == 0


@pytest.mark.parametrize(("most", "alone"), [(1, 1), (2, 1), (3, 2), (8, 6), (20, 15), (200, 150)])
def test_one_caller_alone_leaves_a_quarter_free(most: int, alone: int) -> None:
    """It held all of them, and everybody else was refused."""
    assert most_of(Places(most, "captures", 0.75), "one") == alone


def test_the_next_callers_share_what_is_left_and_the_last_place_is_a_newcomer_s() -> None:
    places = Places(20, "captures", 0.75)
    assert [most_of(places, name) for name in ("one", "two", "three", "four")] == [15, 3, 1, 1]
    assert places.taken == 20
    with pytest.raises(Overloaded, match="all 20 places"):
        places.check("five")


def test_a_caller_over_its_share_is_told_what_to_do() -> None:
    places = Places(8, "captures", 0.75, held=["one"] * 6)
    with pytest.raises(Overloaded, match=r"your share of the 8 places .* wait until one of yours has ended"):
        places.check("one")
    places.check("other")
    places.give_back("one")
    places.check("one")


def test_whoever_has_to_share_with_nobody_gets_all() -> None:
    assert most_of(Places(8, "captures", 0.75), None) == 8


def test_the_samples_of_one_capture_are_taken_together() -> None:
    places = Places(4, "captures", 0.75)
    places.check("one", 4)  # it holds none yet, and could never be made otherwise
    places.take("one", 2)
    with pytest.raises(Overloaded, match="your share"):
        places.take("one", 2)
    with pytest.raises(Overloaded, match="all 4"):
        places.take("other", 3)
    assert places.taken == 2
