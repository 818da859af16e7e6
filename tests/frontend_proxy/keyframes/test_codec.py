import contextlib
import datetime

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend_proxy.answer_schemas import ErrorMessage, KeyframeResult
from frontend_proxy.errors import InvalidInput
from frontend_proxy.keyframes.codec import Json, MessagePack, choose_codec

# What MessagePack knows and can be a timestamp; JSON has no bytes.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
    | st.binary() | st.builds(msgpack.Timestamp, st.integers(0, 2**40), st.integers(0, 10**9 - 1)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize(
    ("offered", "codec", "accepted"),
    [
        ([], Json, None),
        (["lucy.json.v1"], Json, "lucy.json.v1"),
        (["lucy.json.v1", "lucy.msgpack.v1"], MessagePack, "lucy.msgpack.v1"),
        (["lucy.msgpack.v2"], Json, None),
    ],
)
def test_the_subprotocol_chooses(offered: list[str], codec: type, accepted: str | None) -> None:
    found, subprotocol = choose_codec(offered)
    assert (type(found), subprotocol) == (codec, accepted)


@given(VALUES)
def test_what_a_client_sends_comes_back_unchanged(value: object) -> None:
    sent = MessagePack().decode(msgpack.packb({"timestamp": value}))["timestamp"]
    result = KeyframeResult(mode="fallback", image=b"\xff\xd8", timestamp=sent, frame_id=sent, request_id="r")
    answer = msgpack.unpackb(MessagePack().encode(result))
    assert (answer["timestamp"], answer["frame_id"]) == (value, value)
    assert answer["image"] == b"\xff\xd8"


@pytest.mark.parametrize("depth", [1000, 1022, 1023])
def test_whatever_depth_is_read_can_be_answered(depth: int) -> None:
    """The two limits belong to different classes of the library; an answer that cannot be packed would
    end the connection."""
    frame = b"\x81\xa9timestamp" + b"\x91" * depth + b"\x00"
    try:
        timestamp = MessagePack().decode(frame)["timestamp"]
    except InvalidInput:
        assert depth == 1023
    else:
        message = ErrorMessage(error="e", detail="e", code="c", timestamp=timestamp, request_id="r")
        assert frame[1:] in MessagePack().encode(message)


@pytest.mark.parametrize(
    "frame",
    [
        *(b"", b"\xc1", b"\x81\xa1a", b"\x91\x01", b"\x01\x01"),  # nothing, no type, an end, a list, two
        b"\x81\x93\x01\x02\x03\x01",  # a list as a key
        b"\x81\xa1\xff\x01",  # not UTF-8
        b"\xdf\xff\xff\xff\xff",  # four milliard pairs, it says
        b"\x81\xa1a" + b"\xdc\x20\x00" + bytes(0x2000),  # more elements than any message needs
        b"\x91" * 5000,
        msgpack.packb(datetime.datetime(2024, 2, 12, tzinfo=datetime.UTC), datetime=True),
        "text",
    ],
)
def test_what_is_no_message_is_refused(frame: str | bytes) -> None:
    with pytest.raises(InvalidInput, match="MessagePack"):
        MessagePack().decode(frame)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(frame: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        assert isinstance(MessagePack().decode(frame), dict)


def test_binary_frames_on_a_json_connection_are_told_of_the_subprotocol() -> None:
    with pytest.raises(InvalidInput, match=r"lucy\.msgpack\.v1"):
        Json().decode(msgpack.packb({"type": "keyframe"}))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_json_in_binary_frames_is_read(encoding: str) -> None:
    """As .NET and Python programs send it that know no text frames."""
    assert Json().decode('{"type": "keyframe"}'.encode(encoding)) == {"type": "keyframe"}


def test_a_byte_order_mark_before_a_text_frame_is_skipped() -> None:
    assert Json().decode('\ufeff{"type": "keyframe"}') == {"type": "keyframe"}
