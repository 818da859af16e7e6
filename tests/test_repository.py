"""The repository of tests and benchmarks is none of the user's."""

from tests import repository
from tests.repository import HAND_WRITTEN


def test_it_is_not_the_users():
    assert repository.REPOSITORY.relative_to(HAND_WRITTEN.parent).parts[0] == "build"
