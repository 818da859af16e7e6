import pytest

from frontend_proxy.errors import Overloaded
from frontend_proxy.limit import Limit


def test_one_more_than_allowed_is_refused_and_room_comes_back_after_an_error() -> None:
    limit = Limit(2, "captures")
    with limit:
        with pytest.raises(RuntimeError), limit:
            raise RuntimeError
        with limit, pytest.raises(Overloaded, match="2 captures"), limit:
            pytest.fail("a third one came in")
    assert limit.in_flight == 0
