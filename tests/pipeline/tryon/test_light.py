"""Requests that ask for a light instead of a picture."""

import asyncio
import json

import numpy as np
import pytest

from pipeline.garment.laying import Laying
from pipeline.garment.registration import stretch
from pipeline.tryon.request import TryonRequest
from tests.pipeline.tryon.fakes import PICTURES, RECIPE, Client, Models, make_pipeline, outputs

LIT = RECIPE | {"relight_sigma": 3.0, "detail_gain": 1.15}


class Laid(Models):
    """Its reports are as `preprocess` writes them."""

    def _encode(self, inputs):
        found = super()._encode(inputs)
        report = json.loads(found["report"][0])
        if not self.reason:
            report["laying"] = Laying(stretch((90, 50), (80, 48)), "auto", (90, 50), (80, 48)).to_json()
        if inputs["occluded"][0]:
            report["occlusion"] = "UklGRg=="
        return found | outputs(report=np.array([json.dumps(report).encode()], np.object_))


@pytest.fixture
def run(tmp_path):
    async def run(models, keyframe=LIT, **options):
        pipeline, recipes = make_pipeline(tmp_path, models, keyframe=keyframe)
        wanted = {"mode": "keyframe", "output_format": "light"} | options
        request = TryonRequest.read(wanted.get, recipes)
        answer = await asyncio.wait_for(pipeline.run(request, PICTURES, Client()), 20)
        return answer, json.loads(answer["report"][0])

    return run


async def test_the_report_says_how_the_light_is_applied(run):
    models = Laid()
    _, report = await run(models)
    assert report["light"] == {
        "crop": [0.2, 0, 0.6, 1],
        "anchor": None,
        "layer_matrix": None,
        "occlusion": "UklGRg==",
        "light_coding": {"range": 1.4, "floor": 0.04, "sigma": round(3 / 64, 6), "detail_gain": 1.15},
    }
    assert {"laying", "occlusion"}.isdisjoint(report)
    [decode] = models.inputs_of("decode")
    assert decode["output_format"].tolist() == ["light"]


async def test_a_picture_asks_for_no_occlusion(run):
    models = Laid()
    _, report = await run(models, output_format="jpeg")
    [encode] = models.inputs_of("encode")
    assert encode["occluded"].tolist() == [False]
    assert "light" not in report


async def test_a_checkpoint_without_a_light_gives_a_picture(run):
    models = Laid()
    _, report = await run(models, keyframe=RECIPE)
    [decode] = models.inputs_of("decode")
    assert decode["output_format"].tolist() == ["jpeg"]
    assert "light" not in report


async def test_without_a_garment_nothing_is_painted_or_drawn(run):
    models = Laid("no_garment")
    answer, report = await run(models)
    assert models.names == ["encode", "text_encoder"]
    assert (report["mode"], report["mode_reason"], report["steps"]) == ("fallback", "no_garment", 0)
    assert "light" not in report
    assert len(answer["image"]) == 1
