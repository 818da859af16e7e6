import cv2
import numpy as np

from pipeline.tryon.garment_source import GarmentSource

NONE = np.zeros(1, np.uint8)


def png(colour, alpha=255, size=(20, 30)):
    picture = np.full((*size, 4), (*colour[::-1], alpha), np.uint8)
    return cv2.imencode(".png", picture)[1].reshape(-1)


def source(photo=NONE, render=NONE, background=(255, 255, 255)):
    drawn = {"composite": np.zeros((40, 40, 3), np.uint8), "mask": np.zeros((40, 40), np.uint8)}
    return GarmentSource(photo, {"jacket_render": render, "client_mask": NONE, **drawn}, background)


async def test_a_photo_is_the_garment_and_is_not_decoded_for_its_key():
    blue = source(photo=png((0, 0, 255)))
    assert blue.is_photo
    assert await blue.key() == await source(photo=png((0, 0, 255))).key()
    assert await blue.key() != await source(photo=png((0, 255, 0))).key()
    broken = source(photo=np.arange(50, dtype=np.uint8))
    assert await broken.key(), "whoever decodes it says what is wrong"
    assert (await blue.picture() == (0, 0, 255)).all()


async def test_without_a_photo_the_render_is_the_garment_wherever_it_lies():
    canvas = np.zeros((80, 100, 4), np.uint8)
    moved = canvas.copy()
    canvas[10:40, 20:60] = moved[30:60, 5:45] = (0, 0, 255, 255)
    first, second = (source(render=cv2.imencode(".png", it)[1].reshape(-1)) for it in (canvas, moved))
    assert not first.is_photo
    assert (await first.picture()).shape == (30, 40, 3)
    assert await first.key() == await second.key()


async def test_another_background_is_another_garment():
    photo = png((9, 9, 9), alpha=0)
    white, black = source(photo=photo), source(photo=photo, background=(0, 0, 0))
    assert await white.key() != await black.key()
    assert ((await white.picture()) == 255).all()
    assert ((await black.picture()) == 0).all()
