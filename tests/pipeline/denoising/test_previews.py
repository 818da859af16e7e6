import asyncio

import numpy as np

from pipeline.denoising.previews import Previews, shrink


class Painter:
    """Makes a picture of each latents once it is let go; fails on those named "bad"."""

    def __init__(self):
        self.made = []
        self.go = asyncio.Event()

    async def __call__(self, latents):
        self.made.append(latents)
        await self.go.wait()
        if latents == "bad":
            raise RuntimeError("no picture")
        return f"picture of {latents}"


async def test_a_preview_is_sent_once_with_the_step_after_it_is_ready():
    paint = Painter()
    previews = Previews(2, paint)
    seen = []
    for step in range(1, 9):
        seen.append(previews.take())
        previews.begin(step, 8, f"z{step}")
        if step == 5:
            paint.go.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert seen == [None] * 5 + ["picture of z2", "picture of z6", None]
    assert paint.made == ["z2", "z6"]  # z4 was due while z2 was being made; the last step is the answer


async def test_a_preview_that_fails_is_left_out_and_the_next_one_made():
    paint = Painter()
    paint.go.set()
    previews = Previews(1, paint)
    previews.begin(1, 3, "bad")
    await asyncio.sleep(0.01)
    assert previews.take() is None
    previews.begin(2, 3, "good")
    await asyncio.sleep(0.01)
    assert previews.take() == "picture of good"


def test_a_frame_shrinks_with_its_mask_and_crop():
    composite = np.full((720, 1280, 3), 9, np.uint8)
    mask = np.zeros((720, 1280), np.uint8)
    mask[300:, 400:800] = 255
    small, small_mask, crop = shrink(composite, mask, np.array([320, -100, 640, 640], np.int32), 320)
    assert (small.shape, small_mask.shape) == ((180, 320, 3), (180, 320))
    assert crop.tolist() == [80, -25, 160, 160]
    assert crop.dtype == np.int32
    assert (small_mask[75:, 100:200] == 255).all()
    assert not small_mask[:74].any()


def test_a_small_frame_is_not_enlarged():
    composite, mask, crop = np.zeros((60, 80, 3), np.uint8), np.zeros((60, 80), np.uint8), np.arange(4)
    assert shrink(composite, mask, crop) == (composite, mask, crop)


async def test_a_preview_that_is_cancelled_is_left_out():
    """Its CancelledError would have ended the task of all ticks."""
    paint = Painter()
    previews = Previews(1, paint)
    previews.begin(1, 8, "z1")
    await asyncio.sleep(0)
    [making] = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    making.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert previews.take() is None


def test_the_crop_of_a_shrunk_frame_has_at_least_one_pixel():
    mask, crop = np.zeros((2, 16_000), np.uint8), np.array([0, -15, 32, 32], np.int32)
    _, _, small = shrink(np.zeros((2, 16_000, 3), np.uint8), mask, crop)
    assert (small[2:] >= 1).all()
