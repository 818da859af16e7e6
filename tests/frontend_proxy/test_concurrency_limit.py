import pytest

from frontend_proxy.concurrency_limit import ConcurrencyLimit, ConcurrencyLimitPerOwner
from frontend_proxy.errors import Overloaded


def test_one_more_than_allowed_is_refused_and_an_error_frees_its_slot() -> None:
    limit = ConcurrencyLimit(2, "captures")
    with limit:
        with pytest.raises(RuntimeError), limit:
            raise RuntimeError
        with limit, pytest.raises(Overloaded, match="2 captures"), limit:
            pytest.fail("a third one was let in")
    assert limit.in_flight == 0


def test_each_owner_has_its_own_limit() -> None:
    limit = ConcurrencyLimitPerOwner(1, "sockets")
    with (
        limit.held("one"),
        limit.held("other"),
        pytest.raises(Overloaded, match="1 sockets"),
        limit.held("one"),
    ):
        pytest.fail("a second one was let in")
    with limit.held("one"):
        pass
