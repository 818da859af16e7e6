"""Several garments of one request, from a form to the model's tensors."""

import json

import cv2
import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend_proxy.answer_schemas import GarmentReport, KeyframeResult
from frontend_proxy.batches.request import BatchCapture, PackedCaptures, pack
from frontend_proxy.captures import payload
from frontend_proxy.captures.routes import fingerprint
from frontend_proxy.errors import InvalidInput
from frontend_proxy.garments import Garment, GarmentJob, layer_of, pictures_of, renders_of
from frontend_proxy.jobs import Job
from frontend_proxy.keyframes.codec import MessagePack
from frontend_proxy.keyframes.fallback import composite
from frontend_proxy.keyframes.thumbnails import render_thumbnail
from frontend_proxy.schemas import Capture, Keyframe, validate
from frontend_proxy.triton.tensors import infer_request
from frontend_proxy.web.form import FormFields, nested, parse_url_encoded
from pipeline.tryon.garments import read_garments
from tests import outfits

JACKET, TROUSERS, PERSON = (outfits.png(it) for it in (outfits.jacket(), outfits.trousers(), outfits.frame()))
JOBS = (
    GarmentJob(layer=1, jacket_render=b"a jacket", fabric="Wool", category="tops"),
    GarmentJob(layer=0, jacket_render=b"trousers", garment_image=b"and their photo"),
)
JOB = Job(
    request_id="r",
    mode="capture",
    camera_frame=b"frame",
    jacket_render=None,
    output_format="png",
    seed=1,
    pose=np.zeros((33, 4), np.float32),
    garments=JOBS,
)


def capture(*garments: dict[str, object], **fields: object) -> Capture:
    return validate(Capture, {"user_image": b"me", "garments": list(garments), **fields})


class TestRequest:
    def test_a_capture_needs_no_render_beside_them(self) -> None:
        made = capture({"jacket_render": b"1"}, {"garment_image": b"2"})
        assert made.jacket_render is None
        assert list(pictures_of(made.garments)) == [
            ("garments.0.jacket_render", b"1"),
            ("garments.1.garment_image", b"2"),
        ]

    def test_the_layer_is_the_place_by_default(self) -> None:
        garments = [Garment(jacket_render=b"1"), Garment(jacket_render=b"2", layer=-3)]
        assert [layer_of(garment, place) for place, garment in enumerate(garments)] == [0, -3]

    def test_renders_are_in_the_layers_order(self) -> None:
        assert renders_of(JOBS) == [b"trousers", b"a jacket"]

    @pytest.mark.parametrize("none", [None, [], "[]"])
    def test_none_are_one_garment(self, none: object) -> None:
        made = validate(Capture, {"user_image": b"me", "jacket_render": b"1", "garments": none})
        assert not made.garments
        keyframe = validate(Keyframe, {"camera_frame": b"me", "garments": none})
        assert not keyframe.garments

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            (
                {"garments": [{"jacket_render": b"1"}, {}]},
                r"^garments\.1: a jacket_render or a garment_image",
            ),
            (
                {"garments": [{"jacket_render": "data:,"}]},
                r"^garments\.0: a jacket_render or a garment_image",
            ),
            ({"garments": [{"jacket_render": b"1"}] * 5}, "^garments: List should have at most 4 items"),
            ({"garments": [{"jacket_render": b"1", "layer": 101}]}, r"^garments\.0\.layer: "),
            ({"garments": [{"jacket_render": b"1"}], "mask": b"2"}, "^mask: is for one garment only"),
            ({"garments": [{"jacket_render": b"1"}], "jacket_render": b"2"}, "^jacket_render: is for one"),
            ({"garments": "jacket"}, "^garments: "),
        ],
    )
    def test_what_is_wrong_is_named(self, fields: dict[str, object], says: str) -> None:
        with pytest.raises(InvalidInput, match=says):
            validate(Capture, {"user_image": b"me", **fields})
        with pytest.raises(InvalidInput, match=says):
            validate(Keyframe, {"camera_frame": b"me", **fields})


class TestForm:
    def test_single_fields_complete_the_list(self) -> None:
        form = {
            "garments": '[{"layer": 2}, {"category": "bottoms"}]',
            "garments.0.jacket_render": b"1",
            "garments.1.garment_image": b"2",
            "garments.2.garment_image": b"3",
        }
        assert nested(form, Capture)["garments"] == [
            {"layer": 2, "jacket_render": b"1"},
            {"category": "bottoms", "garment_image": b"2"},
            {"garment_image": b"3"},
        ]

    def test_names_with_brackets_are_the_same(self) -> None:
        body = (
            b"garments[0][layer]=3&garments%5B1%5D%5Bcategory%5D=tops&garments[9][layer]=1&other[0][layer]=2"
        )
        form = parse_url_encoded(body, FormFields.of(Capture))
        assert form == {"garments.0.layer": "3", "garments.1.category": "tops"}

    @pytest.mark.parametrize("text", ["{", '{"layer": 1}', "[1]", '"text"'])
    def test_a_list_that_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidInput, match=r"^garments: "):
            nested({"garments": text, "garments.0.layer": "1"}, Capture)


class TestToTheModel:
    def test_the_pipeline_reads_what_the_proxy_writes(self) -> None:
        request = infer_request(JOB)
        contents = {it.name: raw for it, raw in zip(request.inputs, request.raw_input_contents, strict=True)}
        blob = np.frombuffer(contents["garment_pictures"], np.uint8)
        trousers, jacket = read_garments(contents["garments"][4:].decode(), blob)
        assert (trousers.index, trousers.layer, jacket.index, jacket.layer) == (1, 0, 0, 1)
        assert (jacket.fabric, jacket.category, trousers.category) == ("Wool", "tops", "auto")
        assert jacket.render.tobytes() == b"a jacket"
        assert (trousers.render.tobytes(), trousers.photo.tobytes()) == (b"trousers", b"and their photo")

    def test_one_garment_sends_nothing_new(self) -> None:
        request = infer_request(Job("r", "keyframe", b"frame", b"render", "jpeg", 1))
        assert not {"garments", "garment_pictures"} & {it.name for it in request.inputs}


class TestQueue:
    def test_the_jobs_come_back(self) -> None:
        (found,) = payload.unpack(payload.pack([JOB]))
        assert found.garments == JOBS

    def test_a_job_with_one_garment_is_as_before(self) -> None:
        job = Job("r", "capture", b"frame", b"render", "png", 1)
        assert "garments" not in msgpack.unpackb(payload.pack([job]))[0]


def test_another_garment_layer_or_picture_is_another_request() -> None:
    first = {"jacket_render": b"1", "layer": 1}
    requests = [
        capture(first),
        capture(first, {"jacket_render": b"2"}),
        capture(first, {"garment_image": b"2"}),
        capture(first, {"jacket_render": b"2", "layer": 5}),
        capture(first, {"jacket_render": b"3"}),
    ]
    assert len({fingerprint(request) for request in requests}) == len(requests)
    assert fingerprint(capture(first)) == fingerprint(capture(dict(first)))


@given(st.lists(st.sampled_from([b"1", b"2", b"3"]), min_size=1, max_size=4))
def test_a_batch_keeps_each_picture_once(pictures: list[bytes]) -> None:
    garments = [{"jacket_render": 1000 * it} for it in pictures]
    made = validate(BatchCapture, {"user_image": b"me", "garments": garments})
    packed = pack([made, made])
    assert len(packed) < 1000 * (len(set(pictures)) + 1)
    again = PackedCaptures(packed).capture(1)
    assert again.garments is not None
    assert [it.jacket_render for it in again.garments] == [1000 * it for it in pictures]


def test_the_fallback_draws_all_of_them() -> None:
    drawn = cv2.imdecode(np.frombuffer(composite(PERSON, TROUSERS, JACKET), np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(drawn[250, 200].astype(int) - outfits.DARK).max() < 12
    assert np.abs(drawn[560, 210].astype(int) - outfits.BLUE).max() < 12
    assert np.abs(drawn[390, 190].astype(int) - outfits.DARK).max() < 12  # the jacket hangs over the trousers
    assert np.array_equal(composite(PERSON, b"broken"), composite(PERSON))


def test_the_thumbnail_is_that_of_the_renders_over_each_other() -> None:
    both, jacket = render_thumbnail(TROUSERS, JACKET), render_thumbnail(JACKET)
    hidden = jacket[..., 3] == 255
    assert hidden.any()
    assert np.allclose(both[hidden], jacket[hidden])
    assert both[..., 3].sum() > jacket[..., 3].sum()


def test_reports_travel_as_messagepack() -> None:
    report = GarmentReport(layer=1, painted=True, visible_share=0.5, hidden_by=[0])
    answer = KeyframeResult(mode="ai_enhanced", image=b"", timestamp=1, request_id="r", garments=[report])
    found = msgpack.unpackb(MessagePack().encode(answer))
    assert found["garments"] == [json.loads(report.model_dump_json())]
