import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidInput, NotAnImage
from pipeline.garment.garment_map import ONE_GARMENT, masks_of
from pipeline.garment.layers import layered
from pipeline.garment.masking import over
from pipeline.garment.pose import Pose
from pipeline.garment.registration import stretch
from tests import outfits


def joined(*renders, indices=None):
    files = [np.frombuffer(outfits.png(render), np.uint8) for render in renders]
    places = range(len(files)) if indices is None else indices
    parts = np.array([(len(file), place) for file, place in zip(files, places, strict=True)], np.int32)
    return np.concatenate(files), parts


def outfit(*renders, indices=None, longest=640):
    return layered(*joined(*renders, indices=indices), longest)


def test_the_canvas_shows_the_highest():
    layers = outfit(outfits.trousers(), outfits.shirt(), outfits.jacket())
    assert layers.canvas[250, 240].tolist() == [*outfits.WHITE, 255]
    assert layers.canvas[250, 200].tolist() == [*outfits.DARK, 255]
    assert layers.canvas[560, 210].tolist() == [*outfits.BLUE, 255]
    assert not layers.canvas[20, 20].any()
    found = layers.map_on_frame(stretch(outfits.SIZE, outfits.SIZE), outfits.SIZE)
    assert [found[place] for place in ((560, 210), (250, 240), (250, 200))] == [0, 1, 2]


@given(st.lists(st.lists(st.integers(0, 255), min_size=4, max_size=4), min_size=2, max_size=4))
def test_what_is_seen_of_all_is_the_canvas_coverage(colours):
    """Half-transparent renders, too: no pixel is more than covered, and none is lost but by rounding."""
    renders = [np.full((8, 8, 4), colour, np.uint8) for colour in colours]
    for render in renders:
        render[0, :, 3] = 0  # so that none of them is an opaque canvas
    layers = outfit(*renders)
    seen = sum(share.astype(int) for share in layers.seen)
    assert np.abs(seen - layers.canvas[..., 3]).max() <= len(renders)
    assert all((share <= alpha).all() for share, alpha in zip(layers.seen, layers.alphas, strict=True))


def test_the_report_names_who_hides_whom_by_the_requests_places():
    layers = outfit(outfits.trousers(), outfits.shirt(), outfits.jacket(), indices=(2, 0, 1))
    mask = layers.canvas[..., 3].copy()
    mask[:, :240] = 0  # a hand before the left half
    trousers, shirt, jacket = layers.report(stretch(outfits.SIZE, outfits.SIZE), mask)
    assert [it["index"] for it in (trousers, shirt, jacket)] == [2, 0, 1]
    assert [it["hidden_by"] for it in (trousers, shirt, jacket)] == [[0, 1], [1], []]
    assert jacket["visible_share"] == pytest.approx(0.5, abs=0.02)


def test_an_empty_canvas_has_no_share():
    empty = np.zeros_like(outfits.shirt())
    report = outfit(empty, outfits.jacket()).report(
        stretch(outfits.SIZE, outfits.SIZE), outfits.jacket()[..., 3]
    )
    assert report[0]["visible_share"] is None


def test_the_jacket_tells_how_the_canvas_lies():
    """Trousers on the same canvas made the whole look like a jacket that hangs too low."""
    pose = Pose(outfits.landmarks(), outfits.SIZE)
    layers = outfit(outfits.trousers(), outfits.jacket())
    assert layers.telling(pose, outfits.SIZE) is layers.alphas[1]
    nobody = Pose(np.zeros((33, 4)), outfits.SIZE)
    assert np.array_equal(layers.telling(nobody, outfits.SIZE), layers.canvas[..., 3])


def test_a_smaller_canvas_is_enlarged_and_a_large_one_shrunk_to_the_frame():
    small = outfits.jacket()[::2, ::2].copy()
    layers = outfit(outfits.trousers(), small, longest=320)
    assert layers.canvas.shape == (320, 240, 4)
    layers = outfit(outfits.trousers(), small)
    assert layers.canvas.shape == (640, 480, 4)
    assert layers.canvas[250, 200, :3].max() < 60


def test_an_opaque_canvas_of_one_colour_is_keyed():
    shirt = outfits.shirt()
    green = np.zeros((*shirt.shape[:2], 3), np.uint8)
    green[:] = (0, 200, 0)
    opaque = over(shirt[..., :3], shirt[..., 3], green)
    layers = outfit(opaque, outfits.jacket())
    assert layers.canvas[20, 20, 3] == 0
    assert layers.canvas[250, 240].tolist() == [*outfits.WHITE, 255]


def test_other_opaque_canvases_and_aspects_are_refused_by_the_garments_place():
    with pytest.raises(InvalidInput, match=r"garments\.3\.jacket_render is opaque"):
        outfit(outfits.frame(), outfits.jacket(), indices=(3, 0))
    with pytest.raises(InvalidInput, match=r"garments\.0\.jacket_render is 480×300 and garments\.1\.jacket"):
        outfit(outfits.shirt(), outfits.jacket()[:300], indices=(1, 0))
    broken = np.frombuffer(b"\x89PNG broken", np.uint8)
    parts = np.array([(len(broken), 2), (len(broken), 0)], np.int32)
    with pytest.raises(NotAnImage, match=r"garments\.2\.jacket_render is not an image"):
        layered(np.concatenate([broken, broken]), parts, 640)


def test_the_parts_of_a_mask():
    mask = np.full((4, 6), 200, np.uint8)
    garment_map = np.zeros((4, 6), np.uint8)
    garment_map[:, 3:] = 1
    left, right = masks_of(mask, garment_map)
    assert left[0].tolist() == [200, 200, 200, 0, 0, 0]
    assert (left + right == mask).all()
    (only,) = masks_of(mask, ONE_GARMENT)
    assert only is mask
