"""Several garments through the pipeline: on one canvas, or one after the other."""

import json

import numpy as np
import pytest

from pipeline.errors import InvalidInput
from pipeline.tryon.garments import Garment
from pipeline.tryon.outfit import one_after_the_other
from pipeline.tryon.request import TryonRequest
from tests.pipeline.tryon.fakes import CONFIG, PICTURES, Client, Models, make_pipeline, outputs

NONE = np.zeros(1, np.uint8)


def garment(index, layer, render=NONE, photo=NONE, category="auto", fabric=""):
    return Garment(index, layer, category, fabric, render, photo)


def picture(length):
    return np.arange(length, dtype=np.uint8)


class TestOnOneCanvas:
    @pytest.fixture
    def run(self, tmp_path):
        models = Models()
        pipeline, recipes = make_pipeline(tmp_path, models)

        async def run(*garments):
            request = TryonRequest.read({"mode": "keyframe"}.get, recipes)
            answer = await pipeline.run(request, PICTURES, Client(), None, garments)
            return models, json.loads(answer["report"][0])

        return run

    async def test_the_renders_travel_as_one_with_their_places(self, run):
        models, report = await run(garment(1, 0, picture(5)), garment(0, 1, picture(3), fabric="silk"))
        (inputs,) = models.inputs_of("encode")
        assert inputs["render_parts"].tolist() == [[5, 1], [3, 0]]
        assert inputs["jacket_render"].tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
        assert len(models.inputs_of("unet")) == 3
        assert [it["layer"] for it in report["garments"]] == [1, 0]

    async def test_a_photo_that_cannot_be_used_is_reported(self, run):
        models, report = await run(garment(0, 0, picture(5)), garment(1, 1, photo=picture(3)))
        (inputs,) = models.inputs_of("encode")
        assert inputs["render_parts"].tolist() == [[5, 0]]
        assert [(it["painted"], it["reason"]) for it in report["garments"]] == [
            (True, None),
            (False, "needs_render"),
        ]
        assert report["detail"] == "garments.1: the served checkpoint needs a jacket_render"


class Painter:
    """Answers one garment at a time with a picture that has the garment's category in it.

    failing: categories whose garments cannot be painted. width: of its masks, which are 40 pixels high.
    """

    def __init__(self, failing=(), width=40):
        self.asked, self.failing, self.width = [], failing, width

    async def __call__(self, request, pictures, client, recorded):
        self.asked.append((request, pictures))
        for step in (1, 2):
            client.progress(step, 2, None)
        mask = np.zeros((40, self.width), np.uint8)
        mask[{"bottoms": slice(20, 40), "tops": slice(0, 24)}[request.category]] = 255
        fails = request.category in self.failing
        report = {
            "mode": "fallback" if fails else "ai_enhanced",
            "mode_reason": "no_region" if fails else None,
            "category": request.category,
            "latency_ms": {"total": 10.0},
        }
        report |= {"detail": "no legs are seen"} if fails else {}
        image = np.append(np.asarray(pictures["camera_frame"]), len(request.category))
        return outputs(image=image.astype(np.uint8), mask=mask), report


class Watcher(Client):
    def __init__(self):
        super().__init__()
        self.seen = []

    def progress(self, step, steps, preview):
        self.seen.append((step, steps))


def request(tmp_path, **options):
    _, recipes = make_pipeline(tmp_path, Models(), **CONFIG)
    return TryonRequest.read({"mode": "capture", **options}.get, recipes)


LOWER = garment(1, 0, photo=picture(4), category="bottoms")
UPPER = garment(0, 1, photo=picture(6), category="tops", fabric="wool")


class TestOneAfterTheOther:
    async def test_each_is_painted_on_the_picture_before(self, tmp_path):
        painter, client = Painter(), Watcher()
        answer, report = await one_after_the_other(
            painter, request(tmp_path), [LOWER, UPPER], PICTURES, client, None
        )
        (first, _), (second, on) = painter.asked
        assert (first.category, second.category, second.fabric) == ("bottoms", "tops", "wool")
        assert on["camera_frame"].tolist() == [*[0] * 9, len("bottoms")]
        assert np.array_equal(on["garment_image"], UPPER.photo)
        assert answer["image"].tolist()[-2:] == [len("bottoms"), len("tops")]
        assert client.seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
        assert report["latency_ms"] == {"total": 20.0}
        upper, lower = report["garments"]
        assert (upper["visible_share"], upper["hidden_by"]) == (1, [])
        assert (lower["visible_share"], lower["hidden_by"], lower["category"]) == (0.8, [0], "bottoms")

    async def test_a_very_thin_frame_is_answered(self, tmp_path):
        """At the size at which shares are counted it had a side of no pixel, which was a 502."""
        _, report = await one_after_the_other(
            Painter(width=40_000), request(tmp_path), [LOWER, UPPER], PICTURES, Watcher(), None
        )
        assert [it["painted"] for it in report["garments"]] == [True, True]

    async def test_only_the_last_has_the_clients_format(self, tmp_path):
        painter = Painter()
        options = request(tmp_path, output_format="jpeg")
        await one_after_the_other(painter, options, [LOWER, UPPER], PICTURES, Watcher(), None)
        assert [asked.output_format for asked, _ in painter.asked] == ["png", "jpeg"]

    async def test_one_that_cannot_be_painted_is_left_out(self, tmp_path):
        _, report = await one_after_the_other(
            Painter(["bottoms"]), request(tmp_path), [LOWER, UPPER], PICTURES, Watcher(), None
        )
        assert (report["mode"], report["mode_reason"]) == ("ai_enhanced", None)
        assert report["detail"] == "garments.1: no legs are seen"
        upper, lower = report["garments"]
        assert (upper["painted"], lower["painted"], lower["reason"]) == (True, False, "no_region")

    async def test_none_painted_is_a_fallback(self, tmp_path):
        _, report = await one_after_the_other(
            Painter(["bottoms", "tops"]), request(tmp_path), [LOWER, UPPER], PICTURES, Watcher(), None
        )
        assert (report["mode"], report["mode_reason"]) == ("fallback", "no_region")

    @pytest.mark.parametrize(
        ("raised", "says"),
        [
            (InvalidInput("garment_image is no image"), r"^garments\.1: garment_image is no image$"),
            (
                RuntimeError("in ensemble: IMAGE_DECODE: jacket_render is broken"),
                r"^in ensemble: IMAGE_DECODE: garments\.1: jacket_render is broken$",
            ),
            (RuntimeError("out of memory"), "^out of memory$"),
        ],
    )
    async def test_an_error_names_the_garment(self, tmp_path, raised, says):
        async def fails(*arguments):
            raise raised

        with pytest.raises(type(raised), match=says):
            await one_after_the_other(fails, request(tmp_path), [LOWER, UPPER], PICTURES, Watcher(), None)

    async def test_keyframes_have_a_session_for_each_garment(self, tmp_path):
        """The light and the laying of the trousers are not those of the jacket."""
        painter = Painter()
        options = request(tmp_path, mode="keyframe", session="me")
        await one_after_the_other(painter, options, [LOWER, UPPER], PICTURES, Watcher(), None)
        assert [asked.session for asked, _ in painter.asked] == ["me/1", "me/0"]
