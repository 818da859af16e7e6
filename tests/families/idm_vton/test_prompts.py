import dataclasses

import numpy as np
import pytest

from families.idm_vton.prompts import Prompts, describe
from pipeline.tryon.request import TryonRequest
from tests.families.idm_vton.vectors import GARMENT, PROMPTS, load


@pytest.fixture
def request_(loaded):
    return TryonRequest.read({"mode": "capture"}.get, loaded.config.modes)


def test_the_clients_words_describe_the_garment(request_):
    request = dataclasses.replace(request_, prompt=GARMENT, fabric="wool")
    assert describe(request, "tops", rendered=True) == GARMENT


@pytest.mark.parametrize(
    ("category", "rendered", "words"),
    [
        ("tops", True, "navy wool jacket"),
        ("tops", False, "navy wool top"),
        ("bottoms", False, "navy wool trousers"),
        ("one-pieces", True, "navy wool dress"),
    ],
)
def test_otherwise_its_fabric_and_category_do(request_, category, rendered, words):
    assert describe(dataclasses.replace(request_, fabric="navy wool"), category, rendered) == words


def test_without_a_fabric_there_is_no_gap(request_):
    assert describe(request_, "tops", rendered=False) == "top"


def test_the_tokens_are_upstreams(loaded, tmp_path):
    """The second tokenizer pads with another token."""
    for name, content in loaded.files.items():
        (tmp_path / name).write_bytes(content)
    prompts = Prompts(
        (tmp_path / "tokenizer.json", tmp_path / "tokenizer_2.json"),
        loaded.config.prompt,
        "a photo of {garment}",
        loaded.config.negative_prompt,
    )
    texts = prompts.texts(GARMENT)
    assert texts == [PROMPTS["negative_prompt"], PROMPTS["prompt"], PROMPTS["prompt_cloth"]]
    expected = load("text")
    for name, ids in prompts.input_ids(texts).items():
        for row, text in zip(ids, ("negative", "prompt", "cloth"), strict=True):
            assert np.array_equal(row, expected[f"{name}_{text}"][0])
