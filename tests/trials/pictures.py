"""Pictures as phones and browsers make them: orientation, colour profiles, transparency, formats."""

import base64
import io

import numpy as np
from PIL import Image, ImageCms

from tests.trials.client import FOLDER, changed, photo, pixels, uri
from tests.trials.registry import trial

EXIF = ("exif_text_for_resolution.jpg", "exif_positions_as_bytes.jpg", "exif_description_as_rational.jpg")


def seen(data):
    """(H, W, 3) in sRGB, as a browser shows it: its profile applied, transparency over white."""
    picture = Image.open(io.BytesIO(data))
    profile = picture.info.get("icc_profile")
    picture = picture.convert("RGBA" if picture.mode in ("RGBA", "LA", "P") else "RGB")
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    if profile:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        picture = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"))
    return np.asarray(picture).astype(int)


@trial("I1", *EXIF)
async def odd_exif(server, name):
    """A phone's slightly odd EXIF beside an orientation"""
    answer = await server.scan(name, "image/jpeg")
    assert answer.status_code == 200, answer.text[:300]


@trial("I1", "PNG", "WEBP")
async def odd_exif_elsewhere(server, kind):
    """The same EXIF in another format"""
    source = Image.open(FOLDER / EXIF[0])
    data = io.BytesIO()
    source.save(data, kind, exif=source.info["exif"])
    files = {"image": ("it", data.getvalue(), "application/octet-stream")}
    answer = await server.http.post("/api/fabric/scan", files=files)
    assert answer.status_code == 200, answer.text[:300]


@trial("I2", "keyframe", "capture")
async def a_frame_with_a_profile(server, mode):
    """A camera frame with a colour profile looks as it did"""
    name = "profile_swaps_red_and_blue.jpg"
    if mode == "keyframe":
        answer = await server.keyframe(None, frame=name, render=None)
        picture = answer["image"]
    else:
        response = await server.capture(user_image=uri(name))
        assert response.status_code == 200, response.text[:300]
        picture = response.json()["result_image"]
    wanted = seen((FOLDER / name).read_bytes())
    off = abs(pixels(picture) - wanted).mean(2)
    assert np.median(off) < 6, f"the median pixel is off by {np.median(off):.0f}"


@trial("I2")
async def a_render_with_a_profile(server):
    """A jacket render with a colour profile looks as it did"""
    answer = await server.keyframe(None, render="jacket_profile_swaps_red_and_blue.png")
    plain = await server.keyframe(None, render="jacket.png")
    found, same_numbers = (pixels(one["image"]) for one in (answer, plain))
    garment = abs(same_numbers - photo("person.jpg")).mean(2) > 30
    # The file has the plain jacket's numbers, and its profile swaps red and blue.
    off = found[garment].mean(0) - same_numbers[garment].mean(0)[::-1]
    assert abs(off).max() < 15, off


@trial("I3", "keyframe", "without a render", "capture")
async def a_cut_out_person(server, how):
    """A person cut out of their background: no green comes to light"""
    if how == "capture":
        response = await server.capture(user_image=uri("cut_out.png"))
        assert response.status_code == 200, response.text[:300]
        picture = response.json()["result_image"]
    else:
        answer = await server.keyframe(
            None, frame="cut_out.png", render="jacket.png" if how == "keyframe" else None
        )
        assert answer["type"] == "keyframe_result", answer
        picture = answer["image"]
    shown = seen(base64.b64decode(picture.split(",")[1]))
    green = (shown[:, :, 1] > 60 + shown[:, :, 0]) & (shown[:, :, 1] > 60 + shown[:, :, 2])
    assert green.mean() < 0.01, f"{green.mean():.0%} of the picture is green"


@trial("I4", "image/heic", "application/octet-stream")
async def heic_cloth(server, kind):
    """A photo of cloth as an iPhone takes it"""
    answer = await server.scan("cloth.heic", kind)
    says_what_to_do(answer, "HEIC")


@trial("I4", "person.heic", "person.avif")
async def phone_formats_in_a_capture(server, name):
    """A person as a phone photographs them, in a capture"""
    says_what_to_do(await server.capture(user_image=uri(name)), name.split(".")[1].upper())


@trial("I4", "person.heic", "person.avif")
async def phone_formats_in_a_keyframe(server, name):
    """A person as a phone photographs them, in a keyframe"""
    answer = await server.keyframe(None, frame=name)
    if answer["type"] == "error":
        assert name.split(".")[1].upper() in answer["error"], answer
    else:
        assert changed(pixels(answer["image"]), photo("person.jpg")) > 0.03


def says_what_to_do(answer, word):
    if answer.status_code != 200:
        assert answer.status_code in (400, 415), answer.text[:300]
        assert word in answer.json()["detail"], answer.text[:300]


@trial("I5", "data:,", "", "undefined")
async def an_empty_mask(server, mask):
    """An empty mask is none"""
    answer = await server.keyframe(None, mask=mask)
    assert answer["type"] == "keyframe_result", answer
    assert answer["mode"] == "ai_enhanced", answer["mode_reason"]
