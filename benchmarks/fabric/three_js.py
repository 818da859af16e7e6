"""A GLB as Three.js shows it in Chromium: a pack, or the studio's jacket.

    python -m benchmarks.fabric.three_js PACK.glb    # build/benchmarks/three_js.png

Needs Chromium, Node.js and npm; fetches Three.js into build/three-js once. Exits with status 1 if the browser
complains.
"""

import argparse
import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.browser import chromium
from tests.npm import INSTALL

LOCK = Path("frontend_proxy/studio/vendor/lock.json")
PLACE = Path("build/three-js")
SIDE = 700
PAGE = """<!doctype html><link rel="icon" href="data:,"><body style="margin:0">
<script type="importmap">{"imports": {
  "three": "./node_modules/three/build/three.module.js",
  "addons/": "./node_modules/three/examples/jsm/"
}}</script>
<script type="module">
import * as THREE from "three";
import { GLTFLoader } from "addons/loaders/GLTFLoader.js";
import { RoomEnvironment } from "addons/environments/RoomEnvironment.js";

const renderer = new THREE.WebGLRenderer({ antialias: true, preserveDrawingBuffer: true });
renderer.setSize(SIDE, SIDE);
document.body.append(renderer.domElement);
const scene = new THREE.Scene();
scene.background = new THREE.Color(0x9a9a9a);
scene.environment = new THREE.PMREMGenerator(renderer).fromScene(new RoomEnvironment(), 0.04).texture;
scene.environmentIntensity = 0.35;
const lamp = new THREE.DirectionalLight(0xffffff, 1.8);
lamp.position.set(-1, 1.3, 1);
scene.add(lamp);
const { scene: model } = await new GLTFLoader().loadAsync("./model.glb");
scene.add(model);
const box = new THREE.Box3().setFromObject(model);
const [middle, size] = [box.getCenter(new THREE.Vector3()), box.getSize(new THREE.Vector3())];
const camera = new THREE.PerspectiveCamera(35, 1, 0.01, 10);
const direction = new THREE.Vector3(0.35, 0.7, 1).normalize();
camera.position.copy(middle).addScaledVector(direction, 1.55 * size.length());
camera.lookAt(middle);
renderer.render(scene, camera);
document.title = "shown";
</script>""".replace("SIDE", str(SIDE))


def fetch_three() -> None:
    """The studio's version of Three.js, with its loaders, which the studio does not need."""
    version = next(it["version"] for it in json.loads(LOCK.read_text()) if it["name"] == "three")
    package = PLACE / "node_modules/three/package.json"
    if package.exists() and json.loads(package.read_text())["version"] == version:
        return
    PLACE.mkdir(parents=True, exist_ok=True)
    command = [*INSTALL, "--prefix", str(PLACE), f"three@{version}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def show(model: Path, output: Path) -> list[str]:
    """Writes the picture; returns what the browser complained of."""
    fetch_three()
    (PLACE / "index.html").write_text(PAGE)
    shutil.copy(model, PLACE / "model.glb")
    complaints: list[str] = []
    handler = functools.partial(_Quiet, directory=str(PLACE))
    flags = ["--no-sandbox", "--enable-unsafe-swiftshader"]
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        sync_playwright() as playwright,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=chromium(), args=flags)
        page = browser.new_page(viewport={"width": SIDE, "height": SIDE})
        page.on("console", lambda it: complaints.append(it.text) if it.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.wait_for_function("document.title === 'shown'", timeout=120_000)
        output.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=output)
        browser.close()
        server.shutdown()
    return [it for it in complaints if "GPU stall" not in it]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: the page asks for a dozen files."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="a GLB")
    parser.add_argument("--output", type=Path, default=Path("build/benchmarks/three_js.png"))
    arguments = parser.parse_args()
    complaints = show(arguments.model, arguments.output)
    print(arguments.output, *complaints, sep="\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
