"""The compositor of client.js, in a real browser: what it shows, read back from WebGL."""

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.light.light_map import encode_light
from tests.tryon_client import Tryon, keyframe
from training.landmarks import as_points

COMPOSING = (Path(__file__).parent / "composing.js").read_text()
SIZE = (320, 240)
CODING = {"range": 1.4, "floor": 0.04, "sigma": 0.0117, "detail_gain": 1.0}


def uri(data, kind):
    return f"data:image/{kind};base64,{base64.b64encode(bytes(data)).decode()}"


def png(picture):
    return uri(cv2.imencode(".png", picture)[1], "png")


def light(value, crop=(0, 0, 1, 1), anchor=None, **changed):
    """An answer whose light is `value`, a logarithm, everywhere; or a picture of logarithms, (h, w, 3)."""
    values = np.broadcast_to(np.float32(value), (40, 40, 3)) if np.ndim(value) == 0 else value
    data = uri(encode_light(np.array(values), np.ones((40, 40), np.float32)), "webp")
    return {"light": data, "crop": crop, "anchor": anchor, "light_coding": CODING, **changed}


def pose(left, right):
    """Landmarks with two shoulders."""
    points = [{"x": 0.5, "y": 0.5, "visibility": 0} for _ in range(33)]
    for number, (x, y) in ((11, left), (12, right)):
        points[number] = {"x": x, "y": y, "visibility": 1}
    return points


FRAME = np.full((SIZE[1], SIZE[0], 3), (40, 90, 60), np.uint8)
LAYER = np.zeros((SIZE[1], SIZE[0], 4), np.uint8)
LAYER[60:200, 80:240] = (100, 100, 100, 255)


@pytest.fixture
def compose(open_studio):
    """Shows a frame with a jacket after the answers, and returns the picture, BGR."""
    page = open_studio("server")

    def compose(answers, frame=FRAME, layer=LAYER, landmarks=None, webgl=True, at=5000, over=False):
        sent = {"frame": png(frame) if isinstance(frame, np.ndarray) else frame, "answers": answers}
        sent |= {"layer": png(layer) if isinstance(layer, np.ndarray) else layer}
        sent |= {"landmarks": landmarks, "webgl": webgl, "at": at, "over": over}
        shown = page.evaluate(COMPOSING, sent)
        assert shown["kind"] == ("webgl2" if webgl else "2d")
        return cv2.imdecode(np.frombuffer(base64.b64decode(shown["png"].split(",")[1]), np.uint8), 1)

    return compose


def dressed(stack, scene, **options):
    """The server's answer to a recorded keyframe, asked past the proxy for a PNG."""

    async def ask():
        async with Tryon.connect(stack.triton_grpc) as tryon:
            outputs = ("image", "report", "mask")
            return await tryon.dress(keyframe(scene), seed=7, steps=1, outputs=outputs, **options)

    with ThreadPoolExecutor(1) as thread:  # this thread has Playwright's loop
        return thread.submit(asyncio.run, ask()).result()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("scene", ["transparent_no_pose", "transparent_off_body", "opaque_over_video"])
def test_what_is_composed_is_the_servers_picture(stack, compose, scene):
    """By a GPU's way and the processor's; on one canvas, and on one over the page's own video."""
    picture = dressed(stack, scene, output_format="png")
    answer = dressed(stack, scene, output_format="light")
    told = answer["report"]["light"]
    occlusion = told["occlusion"] and f"data:image/webp;base64,{told['occlusion']}"
    sent = {**told, "light": uri(answer["image"].tobytes(), "webp"), "occlusion": occlusion}
    assert len(answer["image"]) + len(told["occlusion"] or "") * 3 / 4 < 3500
    inputs = keyframe(scene)
    landmarks = inputs.get("pose")
    if landmarks is not None:
        landmarks = as_points(landmarks)
    wanted = cv2.imdecode(picture["image"], cv2.IMREAD_COLOR)
    inside = picture["mask"] > 127
    for webgl, over in ((True, False), (True, True), (False, False), (False, True)):
        shown = compose(
            [sent],
            frame=uri(inputs["camera_frame"].tobytes(), "jpeg"),
            layer=uri(inputs["jacket_render"].tobytes(), "png"),
            landmarks=landmarks,
            webgl=webgl,
            over=over,
        )
        error = (shown.astype(np.float32) - wanted)[inside]
        decibels = 10 * np.log10(255**2 / (error**2).mean())
        print(f"{scene}: {decibels:.1f} dB, {webgl=}, {over=}, light of {len(answer['image'])} bytes")
        assert decibels >= 40


@pytest.mark.sampled(1)
@pytest.mark.parametrize("webgl", [True, False])
def test_the_formula_with_its_floor(compose, webgl):
    shown = compose([light(0.5)], webgl=webgl)
    wanted = 100 + (100 + 0.04 * 255) * (np.exp(0.5) - 1)
    assert np.abs(shown[130, 160].astype(float) - wanted).max() < 1.5
    assert (shown[20, 20] == FRAME[0, 0]).all()


def test_without_a_light_the_plain_render_is_shown(compose):
    assert (compose([])[130, 160] == 100).all()
    fallback = {"light": None, "crop": None}
    assert (compose([fallback])[130, 160] == 100).all()
    assert compose([light(0.5), fallback])[130, 160, 0] > 150  # the light that there was is kept


@pytest.mark.sampled(1)
@pytest.mark.parametrize("webgl", [True, False])
def test_what_hides_the_jacket_stays_before_it(compose, webgl):
    hidden = np.zeros((48, 48), np.uint8)
    hidden[:, :24] = 255
    occlusion = uri(cv2.imencode(".webp", hidden, [cv2.IMWRITE_WEBP_QUALITY, 101])[1], "webp")
    shown = compose([light(0.5, occlusion=occlusion)], webgl=webgl)
    assert (shown[130, 100] == FRAME[0, 0]).all()
    assert shown[130, 220, 0] > 150


@pytest.mark.sampled(1)
@pytest.mark.parametrize("webgl", [True, False])
def test_the_light_moves_with_the_shoulders(compose, webgl):
    """Bright left of the middle of the shoulders, dark right of it; then the person moves to the right."""
    values = np.zeros((40, 40, 3), np.float32)
    values[:, :20], values[:, 20:] = 0.6, -0.6
    answer = light(values, anchor=[[0.6, 0.4], [0.4, 0.4]])
    there = compose([answer], landmarks=pose((0.6, 0.4), (0.4, 0.4)), webgl=webgl)[130, :, 0].astype(int)
    moved = compose([answer], landmarks=pose((0.7, 0.4), (0.5, 0.4)), webgl=webgl)[130, :, 0].astype(int)
    border = [int(np.argmax(row[82:238] < 100)) + 82 for row in (there, moved)]
    assert abs(border[0] - 160) <= 3
    assert abs(border[1] - 192) <= 3
    lost = compose([answer], landmarks=None, webgl=webgl)[130, :, 0].astype(int)  # it stays where it was
    assert abs(int(np.argmax(lost[82:238] < 100)) + 82 - 160) <= 3


@pytest.mark.sampled(1)
@pytest.mark.parametrize("webgl", [True, False])
def test_one_light_eases_into_the_next(compose, webgl):
    answers = [light(-0.5), light(0.5)]
    levels = [float(compose(answers, at=at, webgl=webgl)[130, 160, 0]) for at in (0, 200, 400)]
    assert levels[0] < 70
    assert 80 < levels[1] < 125
    assert levels[2] > 150


def test_an_older_answer_that_is_read_later_is_not_shown(open_studio):
    page = open_studio("server")
    taken = page.evaluate(
        """async ([one, two]) => {
          const { LightCompositor } = await import("/studio/client.js");
          const compositor = new LightCompositor(document.createElement("canvas"));
          const blob = async (uri) => (await fetch(uri)).blob();
          const [first, second] = [await blob(one.light), await blob(two.light)];
          let release;
          const slow = new Promise((done) => (release = done));
          const read = globalThis.createImageBitmap;
          globalThis.createImageBitmap = async (blob, ...rest) => {
            if (blob === first) await slow;
            return read(blob, ...rest);
          };
          const late = compositor.take({ ...one, light: first });
          const newer = await compositor.take({ ...two, light: second });
          release();
          const shown = [await late, newer];
          const forgotten = compositor.take({ ...two, light: second });
          compositor.clear();
          return [...shown, await forgotten, compositor.lit];
        }""",
        [light(0.2), light(0.4)],
    )
    assert taken == [False, True, False, False]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("webgl", [True, False])
def test_a_canvas_of_another_size(compose, webgl):
    small = cv2.resize(LAYER, (160, 120), interpolation=cv2.INTER_NEAREST)
    shown = compose([light(0.5)], layer=small, webgl=webgl)
    assert shown[130, 160, 0] > 150
    assert (shown[20, 20] == FRAME[0, 0]).all()


def test_what_has_not_changed_is_not_drawn_again(open_studio):
    """Over a page's own video, a still jacket costs nothing."""
    page = open_studio("server")
    changed = page.evaluate(
        """async ({ frame, layer, answer }) => {
          const { LightCompositor } = await import("/studio/client.js");
          const drawn = async (uri) => createImageBitmap(await (await fetch(uri)).blob());
          let now = 0;
          const canvas = document.createElement("canvas");
          const compositor = new LightCompositor(canvas, { over: true, clock: () => now });
          const [one, other] = [await drawn(frame), await drawn(layer)];
          const draw = (fresh) => compositor.draw({ frame: one, layer: other, fresh });
          const changed = [draw(true), draw(false)];
          await compositor.take({ ...answer, light: await (await fetch(answer.light)).blob() });
          for (const passed of [10, 30, 200, 10]) { // it eases in, it is there, nothing changes
            now += passed;
            changed.push(draw(false));
          }
          return [...changed, compositor.settled];
        }""",
        {"frame": png(FRAME), "layer": png(LAYER), "answer": light(0.5)},
    )
    assert changed == [True, False, True, True, True, False, True]


def test_a_lost_context_comes_back_with_its_light(open_studio):
    page = open_studio("server", forgiven="CONTEXT_LOST")
    shown = page.evaluate(
        """async ({ frame, layer, answer }) => {
          const { LightCompositor } = await import("/studio/client.js");
          const drawn = async (uri) => createImageBitmap(await (await fetch(uri)).blob());
          const canvas = document.createElement("canvas");
          let now = 0;
          const compositor = new LightCompositor(canvas, { over: true, webgl: true, clock: () => now });
          const [one, other] = [await drawn(frame), await drawn(layer)];
          compositor.draw({ frame: one, layer: other });
          await compositor.take({ ...answer, light: await (await fetch(answer.light)).blob() });
          const extension = canvas.getContext("webgl2").getExtension("WEBGL_lose_context");
          const event = (name) =>
            new Promise((done) => canvas.addEventListener(name, () => setTimeout(done, 0)));
          const [lost, back] = [event("webglcontextlost"), event("webglcontextrestored")];
          extension.loseContext();
          await lost;
          compositor.draw({ frame: one, layer: other }); // nothing, and no error
          extension.restoreContext();
          await back;
          now = 9000;
          compositor.draw({ frame: one, layer: other });
          return canvas.toDataURL();
        }""",
        {"frame": png(FRAME), "layer": png(LAYER), "answer": light(0.5)},
    )
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(shown.split(",")[1]), np.uint8), 1)
    assert picture[130, 160, 0] > 150
