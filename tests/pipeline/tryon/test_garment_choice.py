"""What a request's photo of the garment changes in a session, with fake models."""

import numpy as np
import pytest

from pipeline.errors import InvalidInput
from tests.pipeline.tryon.fakes import PICTURES, Models, report_of

PHOTO = np.arange(9, dtype=np.uint8)
NONE = np.zeros(1, np.uint8)


@pytest.mark.parametrize(
    ("pictures", "category"),
    [({}, "bottoms"), ({"garment_image": PHOTO}, "auto"), ({"garment_image": PHOTO[::-1]}, "auto")],
    ids=["category", "photo", "another photo"],
)
async def test_another_garment_gets_no_light_and_no_laying_of_the_last_one(start, pictures, category):
    models = Models()
    run = start(models)
    pose = np.zeros((33, 4), np.float32)
    pose[[11, 12]] = [(0.6, 0.5, 0, 1), (0.3, 0.5, 0, 1)]
    first = PICTURES | {"pose": pose, "garment_image": PHOTO if "garment_image" not in pictures else NONE}
    other = first | {"garment_image": NONE} | pictures
    for worn in ((first, "auto"), (other, category), (other, category)):
        await run(pictures=worn[0], category=worn[1], session="anna")
    lights = [inputs["earlier_light"].shape for inputs in models.inputs_of("decode")]
    assert lights[:2] == [(1, 1, 4)] * 2
    assert lights[2] != (1, 1, 4)
    asked = [inputs["earlier_laying"].tolist() for inputs in models.inputs_of("encode")]
    assert asked == [[""], [""], ["laid 2"]]


async def test_a_photo_that_the_checkpoint_does_not_use_is_reported(start):
    run = start(Models())
    unused = report_of(await run(pictures=PICTURES | {"garment_image": PHOTO}))
    assert unused["mode"] == "ai_enhanced"
    assert "garment_image was not used" in unused["detail"]
    assert "detail" not in report_of(await run())


async def test_neither_a_render_nor_a_photo(start):
    models = Models()
    with pytest.raises(InvalidInput, match="jacket_render is missing, and so is garment_image"):
        await start(models)(pictures=PICTURES | {"jacket_render": NONE})
    assert models.calls == []
