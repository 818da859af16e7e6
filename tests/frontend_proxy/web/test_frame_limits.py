import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode

from frontend_proxy.web.frame_limits import (
    ADDRESS_MESSAGES_BURST,
    CONTROL_FRAMES_BURST,
    CONTROL_FRAMES_PER_S,
    FRAGMENT_BYTES,
    MESSAGES_BURST,
    MESSAGES_PER_S,
    SMALL_FRAGMENTS,
    FrameLimits,
    TokenBucket,
    address_bucket,
)

TEXT, CONT, PING, PONG = Opcode.TEXT, Opcode.CONT, Opcode.PING, Opcode.PONG


def accepted(frames: list[tuple[Opcode, int]], now: float = 0.0, limits: FrameLimits | None = None) -> int:
    """How many of the frames (opcode, bytes) are accepted before the first that is not."""
    limits, address = limits or FrameLimits(), address_bucket()
    for number, (opcode, size) in enumerate(frames):
        if limits.violation(opcode, size, now, address):
            return number
    return len(frames)


@given(st.lists(st.floats(0, 1), max_size=200))
def test_a_bucket_gives_its_burst_and_then_its_rate(pauses: list[float]) -> None:
    bucket, now, taken = TokenBucket(per_s=5, burst=10), 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now)
        assert taken <= 10 + 5 * now + 1e-6
    assert bucket.take(now + 0.2)


@pytest.mark.parametrize("opcodes", [(PING,), (PONG,), (PING, PONG)])
def test_control_frames_are_limited_together(opcodes: tuple[Opcode, ...]) -> None:
    assert accepted([(opcode, 125) for opcode in opcodes * 1000]) == CONTROL_FRAMES_BURST


def test_control_frames_at_their_rate_are_accepted_for_ever() -> None:
    limits, address = FrameLimits(), address_bucket()
    for number in range(1000):
        assert limits.violation(PING, 125, number / CONTROL_FRAMES_PER_S, address) is None


@pytest.mark.parametrize("size", [0, 1, 100])
def test_small_fragments_are_limited(size: int) -> None:
    frames = [(TEXT, size)] + [(CONT, size)] * 100_000
    assert SMALL_FRAGMENTS <= accepted(frames) <= SMALL_FRAGMENTS * 1.2


def test_a_large_message_in_fragments_of_a_usual_size_is_accepted() -> None:
    """Browsers send fragments of 16 KiB and more."""
    frames = [(TEXT, 2**14)] + [(CONT, 2**14)] * (27 * 2**20 // 2**14)
    assert accepted(frames) == len(frames)
    frames = [(TEXT, FRAGMENT_BYTES)] + [(CONT, FRAGMENT_BYTES)] * 27 * 2**10
    assert accepted(frames) == len(frames)


def test_large_fragments_do_not_pay_for_those_of_the_next_message() -> None:
    limits = FrameLimits()
    assert accepted([(TEXT, 2**20)], limits=limits) == 1
    assert accepted([(TEXT, 0)] + [(CONT, 0)] * 1000, limits=limits) == SMALL_FRAGMENTS


def test_pings_between_fragments_do_not_start_a_new_message() -> None:
    frames = [(TEXT, 0), *[(CONT, 0), (CONT, 0), (PING, 0)] * 40]
    assert accepted(frames) < 1 + 1.5 * SMALL_FRAGMENTS


def test_messages_are_limited() -> None:
    assert accepted([(TEXT, 2)] * 10_000) == MESSAGES_BURST
    limits, address = FrameLimits(), address_bucket()
    for number in range(1000):
        assert limits.violation(TEXT, 2, number / MESSAGES_PER_S, address) is None


def test_messages_of_all_connections_of_an_address_are_limited() -> None:
    one, other = address_bucket(), address_bucket()
    connections = [FrameLimits() for _ in range(100)]
    sent = sum(
        limits.violation(TEXT, 2, 0.0, one) is None
        for limits in connections
        for _ in range(MESSAGES_BURST // 2)
    )
    assert sent == ADDRESS_MESSAGES_BURST
    assert FrameLimits().violation(TEXT, 2, 0.0, other) is None
