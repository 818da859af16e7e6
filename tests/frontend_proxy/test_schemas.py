import base64
import contextlib
import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend_proxy.answer_schemas import ErrorMessage, KeyframeResult
from frontend_proxy.errors import InvalidInput
from frontend_proxy.field_types import MAX_ECHO, MAX_ID, is_small
from frontend_proxy.schemas import Capture, Category, Keyframe, ScanRequest, Video, parse_object, validate
from frontend_proxy.web.form import text_or_bytes
from pipeline.garment.region import CATEGORIES

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "camera_frame",
        "jacket_render",
        "garment_image",
        "category",
        "mask",
        "pose",
        "fabric_id",
        "seed",
        "steps",
        "strength",
        "quality",
        "frame_id",
    ]
)


def keyframe(**fields: object) -> Keyframe:
    return validate(Keyframe, {"camera_frame": "Zm9v", **fields})


@pytest.mark.parametrize("pose", [None, {"landmarks": None}, [[0.5, 0.3]], "standing", False, 3])
def test_a_pose_of_any_shape_is_accepted(pose: object) -> None:
    assert keyframe(pose=pose).pose == pose


def test_images_with_and_without_prefix() -> None:
    parsed = keyframe(jacket_render="data:image/png;base64,YmFy")
    assert (parsed.camera_frame, parsed.jacket_render) == (b"foo", b"bar")


@pytest.mark.parametrize("render", ["data:,", "", "no base64!"])
def test_a_broken_render_is_an_unusable_one(render: str) -> None:
    assert keyframe(jacket_render=render).jacket_render == b""


def test_unknown_fields_and_fabrics_are_accepted() -> None:
    parsed = keyframe(fabric_id="custom-1707735000000", later=3)
    assert parsed.fabric_id == "custom-1707735000000"
    assert keyframe(fabric_id=17).fabric_id == "17"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"camera_frame": None}, "camera_frame"),
        ({"camera_frame": "?"}, "camera_frame"),
        ({"camera_frame": 5}, "camera_frame"),
        ({"seed": -1}, "seed"),
        ({"steps": 0}, "steps"),
        ({"strength": 1.5}, "strength"),
        ({"strength": float("nan")}, "strength"),
        ({"guidance_scale": float("inf")}, "guidance_scale"),
    ],
)
def test_an_error_names_the_field(fields: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{named}: "):
        keyframe(**fields)


def test_a_long_list_of_errors_is_cut() -> None:
    with pytest.raises(InvalidInput, match=r"\(and 1 more\)"):
        keyframe(seed=-1, steps=0, strength=2, guidance_scale=-1)


def test_a_capture_needs_both_images() -> None:
    with pytest.raises(InvalidInput, match=r"user_image: .*; jacket_render: .*not null"):
        validate(Capture, {"jacket_render": None})


def test_a_photo_of_the_garment_stands_in_for_the_render() -> None:
    for render in ({}, {"jacket_render": None}, {"jacket_render": "data:,"}):
        capture = validate(Capture, {"user_image": "Zm9v", "garment_image": "YmFy", **render})
        assert (capture.jacket_render, capture.garment_image) == (None, b"bar")
    both = validate(Capture, {"user_image": "Zm9v", "garment_image": "YmFy", "jacket_render": "Zm9v"})
    assert both.jacket_render == b"foo"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "^jacket_render: Field required$"),
        ({"garment_image": None}, "^jacket_render: Field required$"),
        ({"garment_image": "data:,"}, "^jacket_render: an image is needed here"),
        ({"garment_image": ""}, "^jacket_render: an image is needed here"),
        ({"garment_image": "?"}, "^garment_image: [^;]*$"),
        ({"garment_image": 5, "jacket_render": "Zm9v"}, "^garment_image: [^;]*$"),
        (
            {"jacket_render": "Zm9v", "category": "shoes"},
            "^category: .*'tops', 'bottoms', 'one-pieces' or 'auto'",
        ),
    ],
)
def test_what_a_capture_lacks_is_named(fields: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        validate(Capture, {"user_image": "Zm9v", **fields})


def test_categories_are_those_of_the_pipeline() -> None:
    assert get_args(Category) == CATEGORIES


@pytest.mark.parametrize(
    "text", ["", "nope", "[1]", '"a"', "null", "3", "[" * 5000, '{"a": "\\ud800"}', '{"a":1}x']
)
def test_only_a_json_object_is_one(text: str) -> None:
    with pytest.raises(InvalidInput, match="JSON"):
        parse_object(text)


@given(st.dictionaries(FIELDS, JSON))
def test_any_json_is_understood_or_refused(fields: dict[str, object]) -> None:
    with contextlib.suppress(InvalidInput):
        validate(Keyframe, {"camera_frame": "Zm9v", **fields})


@given(JSON)
def test_a_timestamp_of_any_type_comes_back(timestamp: object) -> None:
    sent = parse_object(json.dumps({"timestamp": timestamp}).encode())["timestamp"]
    result = KeyframeResult(mode="fallback", image=b"", timestamp=sent, request_id="r")
    error = ErrorMessage(error="e", detail="e", code="INVALID_INPUT", timestamp=sent, request_id="r")

    def no_constants(name: str) -> None:
        pytest.fail(f"{name} is not JSON; a browser cannot read it")

    expected = json.loads(json.dumps(sent), parse_constant=lambda name: None)
    for message in (result, error):
        assert json.loads(message.model_dump_json(), parse_constant=no_constants)["timestamp"] == expected


@pytest.mark.parametrize("field", ["fabric_id", "session_id"])
@pytest.mark.parametrize("value", ["x" * (MAX_ID + 1), "x" * 10_000_000, 10**MAX_ID])
def test_a_string_that_becomes_a_key_has_a_limit(field: str, value: object) -> None:
    """Also as a number, which becomes a string."""
    with pytest.raises(InvalidInput, match=f"^{field}: .*at most {MAX_ID} characters") as raised:
        keyframe(**{field: value})
    assert len(str(raised.value)) < 200
    assert getattr(keyframe(**{field: "é" * MAX_ID}), field) == "é" * MAX_ID


@pytest.mark.parametrize("field", ["fabric_class", "format"])
def test_the_options_of_a_scan_have_a_limit(field: str) -> None:
    with pytest.raises(InvalidInput, match=f"at most {MAX_ID} characters"):
        validate(ScanRequest, {"image": "Zm9v", field: "x" * 1000})


@pytest.mark.parametrize("empty", [[], "[]", None])
def test_an_empty_list_of_a_scan_is_none(empty: object) -> None:
    """Swagger UI sends it for a list that nobody filled in."""
    request = {"image": "Zm9v", "corners": empty, "white_point": empty, "size": 512}
    assert validate(ScanRequest, request).options() == {"size": 512}


@pytest.mark.parametrize("field", ["timestamp", "frame_id"])
@pytest.mark.parametrize(
    "value",
    [
        "x" * (MAX_ECHO + 1),
        b"x" * (MAX_ECHO + 1),
        [0] * (MAX_ECHO + 1),
        [["x" * 1000] * 5],
        {"a": {"b" * 5000: 0}},
    ],
    ids=["text", "bytes", "list", "texts", "key"],
)
def test_a_field_that_is_sent_back_has_a_limit(field: str, value: object) -> None:
    """It would be encoded on the event loop, with every answer."""
    assert not is_small(value)
    with pytest.raises(InvalidInput, match=f"^{field}: .*send a shorter one"):
        keyframe(**{field: value})


@pytest.mark.parametrize("value", [None, 0, "x" * MAX_ECHO, {"s": [1, 2.5, None, "x"]}, 2**70, [[[[]]]]])
def test_every_usual_timestamp_is_sent_back(value: object) -> None:
    assert keyframe(timestamp=value).timestamp == value


def test_null_means_the_default_also_where_the_default_is_not_null() -> None:
    assert keyframe(quality=None).quality == "medium"
    capture = validate(Capture, {"user_image": "Zm9v", "jacket_render": "Zm9v", "num_samples": None})
    assert capture.num_samples == 1


@pytest.mark.parametrize("text", ['"{\\"a\\": 1}"', '\ufeff{"a": 1}', '{"a": 1}\0'])
def test_an_object_that_was_encoded_twice_or_marked_is_read(text: str) -> None:
    assert parse_object(text) == {"a": 1}
    assert parse_object(text.encode()) == {"a": 1}


@pytest.mark.parametrize(
    "lines", [b"null\n" * 8, b"null\r\n" * 6 + b'{"landmarks": []}\n', b'\n[{"x": 1}]\n']
)
def test_the_poses_of_a_film_are_not_taken_for_base64(lines: bytes) -> None:
    """Lines of `null` have base64's letters only."""
    films = {"video": b"film", "layer": b"film"}
    sent: list[object] = [text_or_bytes(lines), lines.decode(), base64.b64encode(lines).decode()]
    for poses in sent:
        assert validate(Video, {**films, "poses": poses}).poses == lines
