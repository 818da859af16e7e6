import pytest

from pipeline.session_cache import MAX_AGE_S, SessionCache


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_session_is_over_after_a_silence(clock):
    cache = SessionCache(2, clock)
    cache.keep("anna", 1)
    clock.now = MAX_AGE_S
    assert cache.get("anna") == 1
    clock.now += 0.1
    assert cache.get("anna") is None
    assert len(cache) == 0


def test_the_session_that_was_silent_longest_makes_room(clock):
    cache = SessionCache(2, clock)
    for session in ("anna", "ben", "anna", "cleo"):
        cache.keep(session, session.upper())
    assert [cache.get(session) for session in ("anna", "ben", "cleo", None)] == ["ANNA", None, "CLEO", None]
