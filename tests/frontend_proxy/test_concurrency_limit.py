import pytest

from frontend_proxy.concurrency_limit import ConcurrencyLimitPerOwner
from frontend_proxy.errors import Overloaded


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
