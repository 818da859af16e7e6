"""Photos of cloth as people take them."""

import base64
import io

import cv2
import numpy as np
from PIL import Image

from tests.trials.client import pixels
from tests.trials.registry import trial


async def scanned(server, name, **fields):
    answer = await server.scan(name, "image/jpeg", **fields)
    assert answer.status_code == 200, answer.text[:300]
    return answer.json()


def advice(material):
    return " ".join(material["quality"]["advice"])


@trial("T0")
async def one_flat_colour(server):
    """Upstream's own test: an 800 × 800 JPEG of one colour"""
    data = io.BytesIO()
    Image.new("RGB", (800, 800), (70, 90, 160)).save(data, "JPEG")
    image = f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
    answer = await server.http.post("/api/fabric/scan", json={"image": image})
    assert answer.status_code == 200, answer.text[:300]
    body = answer.json()
    assert body["success"]
    assert body["fabric_id"]
    assert abs(pixels(body["diffuseUrl"]).reshape(-1, 3).mean(0) - (70, 90, 160)).max() < 12
    assert pixels(body["normalUrl"]).std(axis=(0, 1)).max() < 4
    assert body["roughnessUrl"].startswith("data:image/")
    assert advice(body)


@trial("T1", "card_on_denim.jpg", "grey_card_on_denim.jpg", "tag_on_denim.jpg")
async def something_on_the_cloth(server, name):
    """Something lies on the cloth: the tile is cloth alone, and an advice says so"""
    body = await scanned(server, name)
    tile = pixels(body["diffuseUrl"]).astype(np.uint8)
    small = cv2.resize(cv2.GaussianBlur(tile, (0, 0), 12), (32, 32), interpolation=cv2.INTER_AREA)
    spread = np.abs(small.astype(int) - np.median(small.reshape(-1, 3), axis=0)).max()
    assert spread < 60, f"a part of the tile is off by {spread} from the cloth"
    assert advice(body), "nothing says that something lies on the cloth"


@trial("T2")
async def print_is_no_relief(server):
    """Printed dots are no relief"""
    body = await scanned(server, "printed_dots.jpg", fabric_class="cotton")
    normals = pixels(body["normalUrl"]) / 127.5 - 1
    slope = np.hypot(normals[:, :, 0], normals[:, :, 1]) / np.maximum(normals[:, :, 2], 0.05)
    grey = pixels(body["diffuseUrl"]).mean(2).astype(np.float32)
    grey = cv2.GaussianBlur(grey, (0, 0), 3)
    edges = np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))
    at_edges, elsewhere = edges > np.percentile(edges, 95), edges < np.percentile(edges, 60)
    ratio = slope[at_edges].mean() / slope[elsewhere].mean()
    assert ratio < 2, f"the slope at the print's edges is {ratio:.1f} times that of the weave"


@trial("T3")
async def holes(server):
    """A net with holes: opacity goes out, or an advice says that it was lost"""
    body = await scanned(server, "net.png")
    if "alphaUrl" in body:
        assert body["material"].get("alphaTest") or body["material"].get("transparent")
    else:
        assert "hole" in advice(body) or "transparen" in advice(body), advice(body)


@trial("T4")
async def round_dots_stay_round(server):
    """Round dots stay round, or the answer has both sides of the tile"""
    body = await scanned(server, "round_dots.jpg")
    grey = pixels(body["diffuseUrl"]).mean(2)
    dots = (grey < (grey.min() + grey.max()) / 2).astype(np.uint8)
    if dots.mean() > 0.5:
        dots = 1 - dots
    _, _, stats, _ = cv2.connectedComponentsWithStats(dots)
    inside = [
        (w, h)
        for x, y, w, h, area in stats[1:]
        if area > 100 and x > 0 and y > 0 and x + w < dots.shape[1] and y + h < dots.shape[0]
    ]
    assert inside
    width, height = np.median(np.array(inside), axis=0)
    if not 0.93 < width / height < 1.07:
        aspect = body.get("tile_aspect") or body["material"].get("repeat")
        assert aspect, f"dots are {width:.0f} × {height:.0f} pixels, and nothing says so"
