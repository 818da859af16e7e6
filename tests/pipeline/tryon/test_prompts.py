from dataclasses import replace

import pytest

from pipeline.recipe import Recipe
from pipeline.tryon.prompts import Prompts
from pipeline.tryon.request import TryonRequest
from tests.pipeline.tryon.fakes import WORDS, write_tokenizer

RECIPES = {"keyframe": Recipe(scheduler="DDIMScheduler", steps=1, strength=1, guidance_scale=1)}


@pytest.fixture
def prompts(tmp_path):
    return Prompts(write_tokenizer(tmp_path / "tokenizer.json"), "a {fabric} jacket", "blurry")


def request(guidance=1.0, **options):
    return TryonRequest.read(({"mode": "keyframe", "guidance_scale": guidance} | options).get, RECIPES)


def words(ids):
    return [[WORDS[number] for number in row] for row in ids.tolist()]


def test_the_fabric_replaces_its_placeholder(prompts):
    ids = prompts.input_ids(request(fabric="red silk"))
    assert ids.dtype == "int32"
    assert words(ids) == [["a", "red", "silk", "jacket"]]


def test_without_a_fabric_no_gap_is_left(prompts):
    assert words(prompts.input_ids(request())) == [["a", "jacket", "[UNK]", "[UNK]"]]


def test_a_requests_own_prompt_replaces_the_checkpoints(prompts):
    assert words(prompts.input_ids(request(fabric="red", prompt="dim light")))[0][:2] == ["dim", "light"]


def test_with_guidance_the_negative_prompt_is_the_first_row(prompts):
    ids = prompts.input_ids(request(guidance=3.0, fabric="red"))
    assert [row[0] for row in words(ids)] == ["blurry", "a"]


def test_a_long_prompt_is_truncated(prompts):
    assert prompts.input_ids(replace(request(), prompt="red " * 100)).shape == (1, 4)
