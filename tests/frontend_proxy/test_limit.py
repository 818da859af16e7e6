import pytest

from frontend_proxy.errors import Overloaded
from frontend_proxy.limit import Limit, LimitEach


def test_one_more_than_allowed_is_refused_and_room_comes_back_after_an_error() -> None:
    limit = Limit(2, "captures")
    with limit:
        with pytest.raises(RuntimeError), limit:
            raise RuntimeError
        with limit, pytest.raises(Overloaded, match="2 captures"), limit:
            pytest.fail("a third one came in")
    assert limit.in_flight == 0


def test_one_owner_s_limit_is_not_another_s() -> None:
    limit = LimitEach(1, "sockets")
    with (
        limit.held("one"),
        limit.held("other"),
        pytest.raises(Overloaded, match="1 sockets"),
        limit.held("one"),
    ):
        pytest.fail("a second one came in")
    with limit.held("one"):
        pass
