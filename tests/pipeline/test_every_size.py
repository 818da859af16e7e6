"""Every size, aspect, depth and number of channels is answered, or refused with a sentence that helps.

`prepare` and `finish` run as served; a stand-in for the networks darkens the garment.
"""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.denoising.previews import shrink
from pipeline.errors import InvalidInput
from pipeline.garment.masking import RENDER_FITS
from pipeline.garment.pictures import LONGEST_SIDE, decode_frame, decode_mask, decode_render
from pipeline.garment.preparation import prepare
from pipeline.light.compositing import finish
from pipeline.light.relighting import NO_LIGHT
from tests.pipeline.encoded_pictures import KINDS, encoded
from tests.pipeline.garment.scenes import landmarks

NO_POSE = np.zeros((33, 4), np.float32)
NO_MASK = np.zeros(1, np.uint8)

short = st.integers(1, 40)
sizes = (
    st.tuples(short, short)
    | st.tuples(st.integers(1, 4), st.integers(1, 16_000))
    | st.tuples(st.integers(1, 16_000), st.integers(1, 4))
    | st.tuples(st.integers(1, 700), st.integers(1, 700))
    | st.sampled_from([(1, 1), (4, 1), (1, 4000), (12_000, 10), (8, 8), (641, 479)])
)
pictures = st.builds(
    lambda size, kind, seed: np.frombuffer(encoded(*size, kind, seed), np.uint8),
    sizes,
    st.sampled_from(KINDS),
    st.integers(0, 9),
)
poses = (
    st.just(NO_POSE)
    | st.builds(landmarks)
    | st.builds(
        lambda seed: np.random.default_rng(seed).normal(0.5, 0.4, (33, 4)).astype(np.float32),
        st.integers(0, 99),
    )
)


def answer(
    frame,
    render,
    pose=NO_POSE,
    mask=NO_MASK,
    fit="auto",
    resolution=(256, 256),
    conditioning="composite",
    framing="garment",
    sigma=3.0,
):
    """The answer's picture, decoded; its tensors and its report."""
    tensors, report = prepare(frame, render, pose, mask, fit, resolution, conditioning, framing)
    latents = tensors["latent_mask"][0].repeat(8, axis=1).repeat(8, axis=2)
    painted = (tensors["pixels"][0] + 1) * (1 - latents / 2) - 1
    image, _ = finish(
        painted, *(tensors[name] for name in ("composite", "mask", "crop")), sigma, 1.15, NO_LIGHT, "png"
    )
    return cv2.imdecode(image, cv2.IMREAD_COLOR), tensors, report


@settings(deadline=None, max_examples=150)
@given(
    pictures,
    pictures,
    poses,
    st.just(NO_MASK) | pictures,
    st.sampled_from(RENDER_FITS),
    st.sampled_from([(256, 256), (64, 128)]),
    st.sampled_from(["composite", "masked", "person"]),
    st.sampled_from(["garment", "cover", "contain"]),
    st.sampled_from([0.0, 3.0]),
)
def test_every_picture_is_answered(frame, render, pose, mask, fit, resolution, conditioning, framing, sigma):
    """A frame of 1 × 1 was divided by zero; one of 12,000 × 10 failed an assertion of OpenCV."""
    picture, tensors, report = answer(
        frame, render, pose, mask, fit, resolution, conditioning, framing, sigma
    )
    expected = decode_frame(frame)
    outside = tensors["mask"] == 0
    assert picture.shape == expected.shape == tensors["composite"].shape
    assert np.array_equal(picture[outside], expected[outside])
    assert tensors["pixels"].shape[1:] == (3, *resolution)
    assert np.isfinite(tensors["pixels"]).all()
    assert report["mode_reason"] in (None, "no_garment", "unusable_render")
    composite, coverage, crop = shrink(tensors["composite"], tensors["mask"], tensors["crop"])
    assert composite.shape[:2] == coverage.shape
    assert (crop[2:] > 0).all()


@pytest.mark.parametrize("size", [(12_000, 10), (10, 12_000), (16_384, 2), (33, 97), (40, 40)])
@pytest.mark.parametrize("sigma", [0.0, 3.0])
def test_a_garment_on_a_thin_or_small_frame_is_painted(size, sigma):
    frame, render = (np.frombuffer(encoded(*size, kind, 1), np.uint8) for kind in ("RGB PNG", "RGBA PNG"))
    picture, tensors, report = answer(frame, render, sigma=sigma)
    garment = tensors["mask"] > 200
    assert report["mode_reason"] is None
    assert garment.any()
    before, after = (each[garment].mean() for each in (tensors["composite"], picture))
    # A latent of a frame of 16,384 × 2 pixels holds less than 1 % of garment, and is not painted.
    assert after < before or min(size) < 4


@pytest.mark.parametrize("decode", [decode_frame, decode_render, decode_mask])
@pytest.mark.parametrize("size", [(LONGEST_SIDE + 1, 1), (1, LONGEST_SIDE + 1), (60_000, 3)])
def test_a_side_that_is_too_long_is_refused_with_what_to_do(decode, size):
    data = np.frombuffer(encoded(*size, "gray PNG"), np.uint8)
    with pytest.raises(InvalidInput, match=f"{size[0]}×{size[1]} pixels; scale it down to at most 16384"):
        decode(data)


def test_the_longest_side_is_taken():
    data = np.frombuffer(encoded(LONGEST_SIDE, 1, "RGB PNG"), np.uint8)
    assert answer(data, data)[0].shape == (1, LONGEST_SIDE, 3)


PEAK = """
import resource, sys
import cv2, numpy as np
from pipeline.garment.preparation import prepare
from pipeline.light.compositing import finish
from pipeline.light.relighting import NO_LIGHT

cv2.setNumThreads(1)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
flat = lambda size, channels, depth=np.uint8: cv2.imencode(
    ".png", np.full((*size[::-1], channels), np.iinfo(depth).max // 3, depth))[1].reshape(-1)
stage, size, depth = sys.argv[1], tuple(map(int, sys.argv[2].split("x"))), getattr(np, sys.argv[3])
frame, render = flat(size, 3), flat(size, 4, depth)
if stage != "prepare":
    small = np.zeros((3, 256, 256), np.float32)
    composite, mask = np.full((*size[::-1], 3), 9, np.uint8), np.full(size[::-1], 255, np.uint8)
    inputs = small, composite, mask, np.array([-500, -500, *(side + 1000 for side in size)])
before = peak()
if stage == "prepare":
    pose, no_mask = np.zeros((33, 4), np.float32), np.zeros(1, np.uint8)
    prepare(frame, render, pose, no_mask, "auto", (256, 256), "composite")
else:
    finish(*inputs, float(stage), 1.15, NO_LIGHT, "jpeg")
print(peak() - before)
"""


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("stage", "size", "depth", "bytes_a_pixel"),
    [
        # measured now, and when whole pictures were copied:
        ("prepare", (4500, 3500), "uint8", 14),  # 12, 15
        ("prepare", (4500, 3500), "uint16", 14),  # 11, 15
        ("0", (4500, 3500), "uint8", 13),  # 9, 23: the feather of the whole frame in float32
        ("3", (4500, 3500), "uint8", 13),  # 10, 10
        ("prepare", (16_000, 16), "uint8", 400),  # 113, 5816: the window around it has 380 megapixels
    ],
)
def test_memory_is_bounded_by_the_pictures_pixels(stage, size, depth, bytes_a_pixel):
    """A render that covers all of the frame is the worst case."""
    arguments = [sys.executable, "-c", PEAK, stage, "x".join(map(str, size)), depth]
    found = subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=200)
    assert int(found.stdout) / (size[0] * size[1]) < bytes_a_pixel
