"""The ten lines of docs/client.md in a frontend that blends pictures over its canvas.

Stand-ins for both versions of the existing frontend, with its names: an older one, whose canvas is
transparent over the video, and a newer one, whose canvas holds the video and the jacket.
"""

import base64
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.studio.test_light import FRAME, LAYER, dressed, light, png, uri

[SNIPPET] = re.findall(
    r'<script type="module">\n(.*?)</script>', Path("docs/client.md").read_text(), re.DOTALL
)
LINES = re.sub(
    r'import \{ (\w+) \} from ".*?";', r'const { \1 } = await import("/studio/client.js");', SNIPPET
)
KEYFRAMES = Path("tests/data/keyframes")
FRONTEND = """
  const drawn = async (uri) => {
    const bitmap = await createImageBitmap(await (await fetch(uri)).blob());
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    return canvas;
  };
  const main = await drawn(message.jacket_render);
  main.id = "main-canvas";
  document.body.append(main);
  const cameraManager = { video: await drawn(message.camera_frame) };
  const poseTracker = { landmarks: message.pose?.landmarks ?? null };
  const aiPipeline = { blendAlpha: 0, handleMessage() {}, getBlendAlpha() { return this.blendAlpha; } };
  const compositeRenderer = { blendAIFrame() {} };
  const render = () => { if (aiPipeline.getBlendAlpha() > 0) compositeRenderer.blendAIFrame(); };
"""
OPAQUE = np.where(LAYER[:, :, 3:] > 0, LAYER[:, :, :3], FRAME)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("version", ["transparent", "opaque"])
def test_the_ten_lines_light_the_live_canvas(open_studio, version):
    answer = light(0.5)
    if version == "opaque":
        hidden = 255 - cv2.resize(LAYER[:, :, 3], (192, 192), interpolation=cv2.INTER_AREA)
        options = [cv2.IMWRITE_WEBP_QUALITY, 101]
        encoded = base64.b64encode(cv2.imencode(".webp", hidden, options)[1].tobytes()).decode()
        answer["occlusion"] = f"data:image/webp;base64,{encoded}"
    page = open_studio("server")
    shown = page.evaluate(
        f"""async ({{ message, answer }}) => {{
          {FRONTEND}
          render(); // nothing before the first light
          {LINES}
          render();
          await aiPipeline.handleMessage(JSON.stringify({{ type: "other" }}));
          await aiPipeline.handleMessage(answer);
          await new Promise((done) => setTimeout(done, 500)); // it has eased in
          render();
          const lit = document.querySelector("#main-canvas + canvas");
          return lit.toDataURL();
        }}""",
        {
            "message": {
                "camera_frame": png(FRAME),
                "jacket_render": png(LAYER if version == "transparent" else OPAQUE),
            },
            "answer": json.dumps({"type": "keyframe_result", "answer": "light", **answer}),
        },
    )
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(shown.split(",")[1]), np.uint8), 1)
    assert abs(int(picture[130, 160, 0]) - 171) < 4
    assert np.abs(picture[20, 20].astype(int) - FRAME[0, 0]).max() <= 1


@pytest.mark.sampled(1)
@pytest.mark.parametrize("scene", ["transparent_off_body", "opaque_over_video"])
def test_recorded_keyframes_of_both_versions_before_the_real_server(stack, open_studio, scene):
    """What the page shows in the end is the server's own picture of the keyframe."""
    folder = KEYFRAMES / scene
    message = json.loads((folder / "message.json").read_text())
    message |= {
        "camera_frame": uri((folder / "camera_frame.jpg").read_bytes(), "jpeg"),
        "jacket_render": uri((folder / "jacket_render.png").read_bytes(), "png"),
        "seed": 7,
        "steps": 1,
    }
    page = open_studio("server")
    shown = page.evaluate(
        f"""async (message) => {{
          {FRONTEND}
          {LINES}
          const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws");
          const answered = () => new Promise((done) => (socket.onmessage = ({{ data }}) => done(data)));
          const ask = (answer) => socket.send(JSON.stringify({{ ...message, answer }}));
          await new Promise((done) => (socket.onopen = done));
          ask("picture");
          const {{ image }} = JSON.parse(await answered());
          ask("light");
          if (!(await aiPipeline.handleMessage(await answered()))) throw new Error("the answer has no light");
          await new Promise((done) => setTimeout(done, 500)); // it has eased in
          render();
          return [image, document.querySelector("#main-canvas + canvas").toDataURL()];
        }}""",
        message,
    )
    wanted, composed = (
        cv2.imdecode(np.frombuffer(base64.b64decode(it.split(",")[1]), np.uint8), 1).astype(np.float32)
        for it in shown
    )
    picture = dressed(stack, scene, output_format="png")  # for its mask
    inside = picture["mask"] > 127
    error = (composed - wanted)[inside]
    decibels = 10 * np.log10(255**2 / (error**2).mean())
    print(f"{scene}: {decibels:.1f} dB")
    assert decibels > 36  # the picture is a JPEG
