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

from tests.studio.test_light import FRAME, LAYER, light, png

[SNIPPET] = re.findall(
    r'<script type="module">\n(.*?)</script>', Path("docs/client.md").read_text(), re.DOTALL
)
FRONTEND = """
  const drawn = async (uri) => {
    const bitmap = await createImageBitmap(await (await fetch(uri)).blob());
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    return canvas;
  };
  const main = await drawn(layer);
  main.id = "main-canvas";
  document.body.append(main);
  const cameraManager = { video: await drawn(frame) };
  const poseTracker = { landmarks: null };
  const aiPipeline = { blendAlpha: 0, handleMessage() {}, getBlendAlpha() { return this.blendAlpha; } };
  const compositeRenderer = { blendAIFrame() {} };
  const render = () => { if (aiPipeline.getBlendAlpha() > 0) compositeRenderer.blendAIFrame(); };
"""
OPAQUE = np.where(LAYER[:, :, 3:] > 0, LAYER[:, :, :3], FRAME)


@pytest.mark.parametrize("version", ["transparent", "opaque"])
def test_the_ten_lines_light_the_live_canvas(open_studio, version):
    answer = light(0.5)
    if version == "opaque":
        hidden = 255 - cv2.resize(LAYER[:, :, 3], (192, 192), interpolation=cv2.INTER_AREA)
        options = [cv2.IMWRITE_WEBP_QUALITY, 101]
        encoded = base64.b64encode(cv2.imencode(".webp", hidden, options)[1].tobytes()).decode()
        answer["occlusion"] = f"data:image/webp;base64,{encoded}"
    page = open_studio("server")
    imported = r'const { \1 } = await import("/studio/client.js");'
    lines = re.sub(r'import \{ (\w+) \} from ".*?";', imported, SNIPPET)
    shown = page.evaluate(
        f"""async ({{ frame, layer, message }}) => {{
          {FRONTEND}
          render(); // nothing before the first light
          {lines}
          render();
          await aiPipeline.handleMessage(JSON.stringify({{ type: "other" }}));
          await aiPipeline.handleMessage(message);
          await new Promise((done) => setTimeout(done, 500)); // it has eased in
          render();
          const lit = document.querySelector("#main-canvas + canvas");
          return lit.toDataURL();
        }}""",
        {
            "frame": png(FRAME),
            "layer": png(LAYER if version == "transparent" else OPAQUE),
            "message": json.dumps({"type": "keyframe_result", "answer": "light", **answer}),
        },
    )
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(shown.split(",")[1]), np.uint8), 1)
    assert abs(int(picture[130, 160, 0]) - 171) < 4
    assert np.abs(picture[20, 20].astype(int) - FRAME[0, 0]).max() <= 1
