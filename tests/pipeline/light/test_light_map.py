import cv2
import numpy as np
import pytest

from pipeline.light.compositing import finish, found_light, relit, to_bgr
from pipeline.light.light_map import MOST_BYTES, RANGE, SIDES, decode_light, encode_light
from pipeline.light.relighting import FLOOR, NO_LIGHT, relight, with_detail

CROP = np.array([30, 20, 200, 200])


@pytest.fixture
def scene():
    """A striped garment in front of noise, and the model's picture: the same in a coloured side light."""
    random = np.random.default_rng(0)
    composite = random.integers(0, 256, (240, 320, 3), np.uint8)
    mask = np.zeros((240, 320), np.uint8)
    cv2.ellipse(mask, (130, 120), (70, 90), 10, 0, 360, 255, -1, cv2.LINE_AA)
    stripes = np.where(np.arange(320) // 6 % 2, 180, 90)[None, :, None].astype(np.uint8)
    composite = np.where(mask[..., None] > 0, stripes, composite)
    side = np.linspace(0.5, 1.6, 200)[None, :, None] * np.array([0.8, 1, 1.1])
    picture = composite[20:220, 30:230] * side
    return cv2.resize(picture.clip(0, 255).astype(np.uint8), (256, 256)), composite, mask


def test_the_answer_can_be_rebuilt_from_the_map(scene):
    picture, composite, mask = scene
    answer, _ = relit(picture, composite, mask, CROP, 3.0, detail_gain=1.15)
    found = found_light(picture, composite, mask, CROP, 3.0)
    decoded = decode_light(encode_light(found.light, found.coverage))
    light = cv2.resize(decoded, (256, 256), interpolation=cv2.INTER_CUBIC)
    lit = with_detail(light, found.composite, [found.coverage], 3.0, 1.15)
    rebuilt = composite.copy()
    inside = np.s_[20:220, 30:230]
    relight(composite[inside], lit, mask[inside], rebuilt[inside])
    error = (rebuilt.astype(np.float32) - answer)[mask > 127]
    assert 10 * np.log10(255**2 / (error**2).mean()) > 44
    assert np.array_equal(rebuilt[mask == 0], composite[mask == 0])


def test_the_map_is_small(scene):
    found = found_light(*scene, CROP, 3.0)
    image = encode_light(found.light, found.coverage)
    assert len(image) < 2500
    assert decode_light(image).shape == (SIDES[0], SIDES[0], 3)


def test_a_light_of_noise_has_fewer_cells():
    noise = np.random.default_rng(0).uniform(-1.4, 1.4, (256, 256, 3)).astype(np.float32)
    rough = cv2.resize(noise[:40, :40], (256, 256), interpolation=cv2.INTER_NEAREST)
    image = encode_light(rough, np.ones((256, 256), np.float32))
    assert len(image) <= MOST_BYTES
    assert decode_light(image).shape[0] in SIDES[1:]


def test_the_longer_side_has_all_pixels():
    image = encode_light(np.zeros((128, 256, 3), np.float32), np.ones((128, 256), np.float32))
    assert decode_light(image).shape == (SIDES[0] // 2, SIDES[0], 3)


def test_beyond_the_garment_the_map_continues_the_light_of_its_edge():
    """A jacket that has moved was dark at its rim: the model had left the pixels there as they were."""
    coverage = np.zeros((256, 256), np.float32)
    coverage[96:160, 96:160] = 1
    light = np.where(coverage[..., None] > 0, np.float32(0.7), np.float32(-0.4)).repeat(3, axis=2)
    assert np.abs(decode_light(encode_light(light, coverage)) - 0.7).max() < 0.02


def test_without_a_garment_the_map_is_neutral():
    image = encode_light(np.zeros((256, 256, 3), np.float32), np.zeros((256, 256), np.float32))
    assert np.abs(decode_light(image)).max() < RANGE / 255 + 1e-3


def test_values_are_what_the_documents_say(scene):
    """A client decodes them by 255 · (R / RANGE + 1) / 2."""
    light = np.full((40, 40, 3), (0.7, 0, -1.4), np.float32)  # BGR
    values = cv2.imdecode(encode_light(light, np.ones((40, 40), np.float32)), cv2.IMREAD_COLOR)
    assert values[20, 20].tolist() == [191, 128, 0]
    assert (RANGE, FLOOR) == (1.4, 0.04)


def test_the_finished_answer_is_the_map_and_the_light_of_the_picture(scene):
    """Nothing is drawn, and the session's light is the same as for pictures."""
    picture, composite, mask = scene
    pixels = picture[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) / 127.5 - 1
    assert np.array_equal(to_bgr(pixels), picture)
    as_light, light = finish(pixels, composite, mask, CROP, 3.0, 1.15, NO_LIGHT, "light")
    _, same = finish(pixels, composite, mask, CROP, 3.0, 1.15, NO_LIGHT, "jpeg")
    assert np.array_equal(light, same)
    found = found_light(picture, composite, mask, CROP, 3.0)
    assert np.array_equal(as_light, encode_light(found.light, found.coverage))
