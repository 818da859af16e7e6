"""The React component that docs/client.md shows, from the npm package, in a shop's page."""

import base64
import re

import cv2
import numpy as np
import pytest
from playwright.sync_api import expect

from tests.clients.javascript.package import package, project, run
from tests.studio.conftest import KEEP_CAMERA
from tests.studio.test_lucy_try_on import shop

__all__ = ["package", "project", "shop"]

MAIN = """
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { TryOn } from "./TryOn.js";
window.root = createRoot(document.getElementById("root"));
root.render(<StrictMode><TryOn jacket="jacket.png" /></StrictMode>);
"""
PAGE = """<!doctype html><html lang="en"><head><title>Shop</title></head><body><main id="root"></main>
  <script type="module" src="bundle.js"></script></body></html>"""


@pytest.mark.nightly
def test_the_documented_component(shop, project, stack, tmp_path):
    (project / "main.tsx").write_text(MAIN)
    component = project / "TryOn.tsx"
    component.write_text(component.read_text().replace("http://localhost:5000", stack.url))
    bundle = ["--bundle", "--splitting", "--format=esm", "--jsx=automatic", f"--outdir={tmp_path}"]
    run(project, "esbuild", "main.tsx", "--entry-names=bundle", *bundle)
    page = shop.open(PAGE, prepare=lambda page: page.add_init_script(KEEP_CAMERA))
    page.get_by_role("button", name="Try it on").click()
    expect(page.get_by_role("status")).to_have_text("live")
    page.get_by_role("button", name="Take the picture").click()
    expect(page.get_by_role("status")).to_have_text(re.compile(r"Step \d+ of \d+"))
    picture = page.get_by_role("img", name="You, wearing the jacket")
    expect(picture).to_be_visible()
    data = base64.b64decode(picture.get_attribute("src").partition(",")[2])
    assert cv2.imdecode(np.frombuffer(data, np.uint8), 1).shape == (512, 512, 3)
    page.evaluate("root.unmount()")
    page.wait_for_function("stream.getTracks().every((track) => track.readyState === 'ended')")
