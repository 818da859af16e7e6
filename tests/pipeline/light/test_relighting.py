import cv2
import numpy as np
import pytest

from pipeline.light.relighting import light_ratio, relight, steadied, with_detail

SIZE = 128


@pytest.fixture
def scene():
    """A textured composite, a garment's mask, and the smooth light that should fall on it."""
    random = np.random.default_rng(0)
    texture = cv2.GaussianBlur(random.uniform(0, 255, (SIZE, SIZE, 3)).astype(np.float32), (0, 0), 1)
    composite = (120 + (texture - texture.mean())).clip(20, 235).astype(np.uint8)
    mask = np.zeros((SIZE, SIZE), np.float32)
    cv2.circle(mask, (64, 70), 40, 1.0, -1)
    light = np.linspace(0.6, 1.3, SIZE, dtype=np.float32)[None, :, None] * np.array(
        [0.9, 1.0, 1.1], np.float32
    )
    target = np.where(mask[:, :, None] > 0, composite * light, composite).clip(0, 255)
    return composite, mask, target


def model_picture(composite, target, colour_shift=1.0):
    """What a small model makes of it: the right light, blurred texture, blotches, another white balance."""
    random = np.random.default_rng(1)
    blotches = cv2.GaussianBlur(random.normal(0, 40, (SIZE, SIZE, 3)).astype(np.float32), (0, 0), 2)
    return (cv2.GaussianBlur(target, (0, 0), 2) * colour_shift + blotches).clip(0, 255).astype(np.uint8)


def coverage(mask):
    return np.rint(255 * mask).astype(np.uint8)


def psnr(found, target, mask):
    error = ((found.astype(np.float32) - target) ** 2)[mask > 0].mean()
    return 10 * np.log10(255**2 / error)


@pytest.mark.parametrize("colour_shift", [1.0, 1.15, 0.9])
def test_the_light_is_the_models_and_the_detail_the_renders(scene, colour_shift):
    composite, mask, target = scene
    picture = model_picture(composite, target, colour_shift)
    found = relight(composite, light_ratio(picture, composite, mask, sigma=8), coverage(mask))
    assert psnr(found, target, mask) > psnr(composite, target, mask) + 6
    assert psnr(found, target, mask) > psnr(picture, target, mask) + 6


def test_pixels_outside_the_garment_do_not_bleed_in(scene):
    composite, mask, target = scene
    picture = model_picture(composite, target)
    bright = picture.copy()
    bright[:12, :40] = 255  # a lamp beyond the garment
    one, other = (light_ratio(p, composite, mask, sigma=8)[mask > 0] for p in (picture, bright))
    assert np.abs(one - other).max() < 0.02


def test_a_model_that_changed_nothing_changes_nothing(scene):
    composite, mask, _ = scene
    found = relight(composite, light_ratio(composite, composite, mask, sigma=8), coverage(mask))
    assert np.array_equal(found, composite)


def grey_log(picture):
    return np.log(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) / 255 + 0.04)


@pytest.mark.parametrize("gain", [0.5, 1.5])
def test_the_details_gain_scales_what_is_finer_than_sigma(scene, gain):
    composite, mask, _ = scene
    light = np.full((SIZE, SIZE, 3), 0.1, np.float32)
    found, plain = (
        relight(composite, with_detail(light, composite, [mask], 2, g), coverage(mask)) for g in (gain, 1)
    )
    inside = cv2.erode(mask, np.ones((9, 9))) > 0
    fine, fine_before = (grey_log(p) - cv2.GaussianBlur(grey_log(p), (0, 0), 6) for p in (found, plain))
    slope = (fine * fine_before)[inside].sum() / (fine_before**2)[inside].sum()
    assert slope == pytest.approx(gain, abs=0.1)
    assert abs(found[inside].mean() - plain[inside].mean()) < 1


def test_plain_cloth_has_no_detail_even_at_its_outline(scene):
    _, mask, _ = scene
    composite = np.where(mask[:, :, None] > 0, 120, 20).astype(np.uint8).repeat(3, axis=2)
    light = np.zeros((SIZE, SIZE, 3), np.float32)
    assert np.abs(with_detail(light, composite, [mask], 2, 3.0)[mask > 0]).max() < 0.02
    assert with_detail(light, composite, [mask], 2, 1.0) is light


def test_each_garment_is_compared_with_its_own_cloth(scene):
    """A white shirt got greyer beside a dark jacket, since the mean around its edge was dark."""
    _, mask, _ = scene
    left, right = mask.copy(), mask.copy()
    left[:, SIZE // 2 :] = 0
    right[:, : SIZE // 2] = 0
    composite = np.where(left[:, :, None] > 0, 230, 40).astype(np.uint8).repeat(3, axis=2)
    light, inside = np.zeros((SIZE, SIZE, 3), np.float32), mask > 0
    assert np.abs(with_detail(light, composite, [left, right], 2, 0.5)[inside]).max() < 0.02
    assert np.abs(with_detail(light, composite, [mask], 2, 0.5)[inside]).max() > 0.1


def test_the_ratio_holds_at_the_frames_resolution(scene):
    composite, mask, target = scene
    ratio = light_ratio(model_picture(composite, target), composite, mask, sigma=8)
    large = cv2.resize(composite, (4 * SIZE, 4 * SIZE), interpolation=cv2.INTER_NEAREST)
    everywhere = np.full(large.shape[:2], 255, np.uint8)
    small_again = cv2.resize(relight(large, ratio, everywhere), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    assert psnr(small_again, target, mask) > psnr(composite, target, mask) + 6


def test_a_broken_picture_cannot_overexpose_the_garment(scene):
    composite, mask, _ = scene
    ratio = light_ratio(np.zeros_like(composite), composite, mask, sigma=8)
    assert np.isfinite(ratio).all()
    assert np.abs(ratio).max() <= np.log(4) + 1e-6


def test_a_garment_that_fills_the_crop_has_no_outside_to_measure(scene):
    composite, _, _ = scene
    everywhere = np.ones((SIZE, SIZE), np.float32)
    picture = (composite * 0.5).astype(np.uint8)
    ratio = light_ratio(picture, composite, everywhere, sigma=8)
    assert np.median(ratio) < -0.4


def known(light, slack):
    return np.dstack([light, np.full(light.shape[:2], slack, np.float32)])


def test_an_earlier_light_that_agrees_is_kept_bit_for_bit():
    random = np.random.default_rng(0)
    earlier = random.normal(0, 0.3, (16, 16, 3)).astype(np.float32)
    new = earlier + random.uniform(-0.02, 0.02, earlier.shape).astype(np.float32)
    assert np.array_equal(steadied(new, known(earlier, 0.03)), earlier)


def test_a_changed_light_is_followed_at_once_up_to_the_slack():
    dark = np.zeros((4, 4, 3), np.float32)
    lit = dark + np.float32(0.5)
    assert np.allclose(steadied(lit, known(dark, 0.03)), 0.47)
    assert np.array_equal(steadied(lit, known(dark, 0.0)), lit)
    assert steadied(lit, np.zeros((1, 1, 4), np.float32)) is lit


def test_the_same_picture_again_changes_nothing():
    """A running mean would go on creeping towards the new light, a byte at a time."""
    random = np.random.default_rng(0)
    new, earlier = random.normal(0, 0.3, (2, 16, 16, 3)).astype(np.float32)
    once = steadied(new, known(earlier, 0.03))
    assert np.array_equal(steadied(new, known(once, 0.03)), once)


@pytest.mark.parametrize("sigma", [6, 8, 12])
def test_a_wide_gaussian_on_a_smaller_copy_is_the_same(scene, sigma):
    """The copy is 1 / step of the size; a shift of half of one of its pixels shows at the garment's edge."""
    composite, mask, target = scene
    picture = target.astype(np.uint8)
    found = relight(composite, light_ratio(picture, composite, mask, sigma), coverage(mask))
    weight = mask[:, :, None] + 1e-4
    light, start = (
        cv2.GaussianBlur((p.astype(np.float32) / 255 + 0.04) * weight, (0, 0), sigma)
        for p in (picture, composite)
    )
    expected = relight(composite, np.log(light / start), coverage(mask))
    difference = np.abs(found.astype(int) - expected)[mask > 0]
    assert difference.max() <= 2
    assert difference.mean() < 0.2
