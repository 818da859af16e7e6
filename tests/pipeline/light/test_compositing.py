import numpy as np
import pytest

from pipeline.light.compositing import feather, paste, relit, to_bgr


@pytest.fixture
def scene():
    random = np.random.default_rng(0)
    composite = random.integers(0, 256, (120, 160, 3), np.uint8)
    mask = np.zeros((120, 160), np.uint8)
    mask[30:100, 40:110] = 255
    mask[29, 40:110] = 100  # an antialiased edge
    return composite, mask


def test_outside_the_garment_every_pixel_is_the_composites_own(scene):
    composite, mask = scene
    picture = np.full((64, 64, 3), 9, np.uint8)
    answer = paste(picture, composite, mask, np.array([30, 20, 90, 90]))
    assert np.array_equal(answer[mask == 0], composite[mask == 0])


def test_deep_inside_the_garment_every_pixel_is_the_models(scene):
    composite, mask = scene
    answer = paste(np.full((64, 64, 3), 9, np.uint8), composite, mask, np.array([30, 20, 90, 90]))
    assert (answer[40:90, 50:100] == 9).all()


def test_the_picture_is_placed_exactly_on_its_crop(scene):
    """A picture pasted one pixel off shows as a shifted half."""
    composite, mask = scene
    picture = np.zeros((90, 90, 3), np.uint8)
    picture[:, 45:] = 200
    answer = paste(picture, composite, mask, np.array([30, 20, 90, 90]))
    assert (answer[50:80, 60:75] == 0).all()
    assert (answer[50:80, 75:90] == 200).all()


@pytest.mark.parametrize("crop", [(-40, -30, 260, 260), (90, 60, 100, 100), (0, 0, 160, 160)])
def test_a_crop_may_reach_beyond_the_frame(scene, crop):
    composite, mask = scene
    answer = paste(np.full((64, 64, 3), 9, np.uint8), composite, mask, np.array(crop))
    x, y, width, height = crop
    deep = np.zeros_like(mask, bool)
    deep[max(0, y) + 6 : y + height - 6, max(0, x) + 6 : x + width - 6] = True
    deep[:36] = deep[94:] = False
    deep[:, :46] = deep[:, 104:] = False
    assert deep.any()
    assert (answer[deep] == 9).all()


def test_without_a_garment_the_composite_comes_back(scene):
    composite, mask = scene
    black = np.zeros((8, 8, 3), np.uint8)
    assert np.array_equal(paste(black, composite, np.zeros_like(mask), np.array([0, 0, 160, 160])), composite)


def test_the_feather_lies_inside_the_mask_and_rises_steadily(scene):
    _, mask = scene
    weight = feather(mask, 5)
    assert (weight[mask == 0] == 0).all()
    profile = weight[29:40, 75]
    assert (np.diff(profile) >= 0).all()
    assert profile[-1] == 1
    assert 0 < profile[0] <= 100 / 255


def test_a_garment_cut_by_the_frames_edge_has_no_feather_there():
    """Where the garment goes on beyond the picture there is no outline to soften."""
    mask = np.full((50, 50), 255, np.uint8)
    assert feather(mask, 10).min() == 1


def test_pixels_are_rounded_as_diffusers_does():
    pixels = np.array([-1.2, -1, 0, 1, 1.3], np.float32).reshape(1, 1, 5).repeat(3, axis=0)
    assert to_bgr(pixels)[0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_relighting_keeps_the_renders_detail(scene):
    composite, mask = scene
    crop = np.array([30, 20, 90, 90])
    picture = composite[20:110, 30:120].copy()
    garment = mask[20:110, 30:120] > 0
    picture[garment] = picture[garment].mean() / 2  # the right light, and none of the detail
    plain, (lit, _) = paste(picture, composite, mask, crop), relit(picture, composite, mask, crop, 6)
    inside = np.s_[45:85, 55:95]
    target = composite[inside] * 0.5
    assert np.abs(lit[inside] - target).mean() < 0.3 * np.abs(plain[inside] - target).mean()
    assert np.array_equal(lit[mask == 0], composite[mask == 0])


@pytest.mark.parametrize("crop", [(30, 20, 90, 90), (-40, -30, 260, 260)])
def test_the_returned_light_is_the_light_that_was_applied(scene, crop):
    """Given back as the earlier light of another picture it makes the same answer; a part of a crop beyond
    the frame that is cut out wrongly shifts it."""
    composite, mask = scene
    random = np.random.default_rng(2)
    picture, other = random.integers(0, 256, (2, 64, 64, 3), np.uint8)
    answer, light = relit(picture, composite, mask, np.array(crop), 6)
    earlier = np.dstack([light, np.full(light.shape[:2], 9, np.float32)])
    again, same = relit(other, composite, mask, np.array(crop), 6, earlier)
    assert np.array_equal(same, light)
    assert np.array_equal(again, answer)
    assert not np.array_equal(relit(other, composite, mask, np.array(crop), 6)[0], answer)
