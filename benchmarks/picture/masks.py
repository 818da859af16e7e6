"""Is the visible garment found? Masks against the truth of path-traced scenes.

    python -m benchmarks.picture.masks --scenes FOLDER              # as `preprocess` does it
    python -m benchmarks.picture.masks --scenes FOLDER --geometry   # without networks

A scene is a folder with camera.jpg, render.png (RGBA, not occluded), mask.png (what is truly visible) and
pose.json. Each is sent as a transparent canvas and as several kinds of opaque ones. Prints the means of each
kind, and writes every scene's figures and sheets of the worst to build/benchmarks/masks/.

    iou      intersection over union with the truth
    painted  of the drawn pixels that hair, neck or hands hide, the share that is painted over
    bare     of the visible pixels that are drawn, the share that is left as the camera's
    rim      mean of the grey levels by which the composite is brighter than camera and garment around it, in
             the 6 pixels outside the truth
    flicker  the share of the garment's pixels whose coverage changes by a quarter with the camera's noise
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.command_line import run
from benchmarks.picture.metrics import iou
from benchmarks.picture.sheet import write_sheet
from pipeline.garment.masking import composite, find_garment
from pipeline.garment.pose import HANDS, Pose
from pipeline.garment.visibility import Networks
from pipeline.resize import size_of
from serving.visible_garment import open_networks
from training.landmarks import from_points

_RIM = 6  # pixels
_LOST = np.zeros((33, 4), np.float32)
FIGURES = ("iou", "painted", "painted_hands", "painted_head", "bare", "rim", "flicker")


@dataclass(frozen=True)
class Scene:
    """frame (H, W, 3), render (H, W, 4): BGR(A) uint8. truth: (H, W) uint8. landmarks: (33, 4)."""

    name: str
    frame: np.ndarray
    render: np.ndarray
    truth: np.ndarray
    landmarks: np.ndarray

    @property
    def drawn(self) -> np.ndarray:
        """The render's alpha over the frame: (H, W) uint8."""
        return self.render[..., 3]


def read_scenes(folder: Path) -> Iterator[Scene]:
    for path in sorted(file.parent for file in folder.glob("*/mask.png")):
        frame = cv2.imread(str(path / "camera.jpg"))
        size = size_of(frame)
        yield Scene(
            path.name,
            frame,
            cv2.resize(cv2.imread(str(path / "render.png"), cv2.IMREAD_UNCHANGED), size),
            cv2.resize(cv2.imread(str(path / "mask.png"), cv2.IMREAD_GRAYSCALE), size),
            from_points(json.loads((path / "pose.json").read_text())["landmarks"]),
        )


def over_video(scene: Scene, plane: float = 1.0, lag: float = 1.0, gain: float = 1.0) -> np.ndarray:
    """The jacket over the video on an opaque canvas, as a JPEG has it: BGR.

    plane: the share of the canvas that the video fills; the rest is black.
    lag: pixels that the video is behind the frame. gain: of the video's exposure.
    """
    height, width = scene.frame.shape[:2]
    shift = np.array([[1, 0, lag], [0, 1, lag / 3]])
    video = cv2.warpAffine(scene.frame, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
    share = scene.drawn[..., None].astype(np.float32) / 255
    video = (gain * video).clip(0, 255)
    canvas = np.zeros((3 * height // 2, 3 * width // 2, 3), np.uint8)
    size = round(plane * canvas.shape[1]), round(plane * canvas.shape[0])
    x, y = (canvas.shape[1] - size[0]) // 2, (canvas.shape[0] - size[1]) // 2
    drawn = np.rint(video + share * (scene.render[..., :3] - video)).astype(np.uint8)
    canvas[y : y + size[1], x : x + size[0]] = cv2.resize(drawn, size)
    return cv2.imdecode(cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_COLOR)


def _black(scene: Scene) -> Scene:
    """The scene with a near-black garment."""
    render = scene.render.copy()
    render[..., :3] = render[..., :3] // 12 + 6
    return replace(scene, render=render)


def _alone(scene: Scene) -> Scene:
    """The scene without what the camera sees: the garment on black."""
    return replace(scene, frame=np.zeros_like(scene.frame))


# By kind: what the client sends as its canvas, and whether its pose is tracked.
KINDS: dict[str, tuple[Callable[[Scene], np.ndarray], bool]] = {
    "transparent": (lambda scene: scene.render, True),
    "transparent, lost pose": (lambda scene: scene.render, False),
    "opaque": (over_video, True),
    "opaque, lost pose": (over_video, False),
    "opaque, moved": (lambda scene: over_video(scene, lag=5, gain=1.06), True),
    "opaque, plane of 0.8": (lambda scene: over_video(scene, plane=0.8), True),
    "opaque, no video": (lambda scene: over_video(_alone(scene)), True),
    "opaque, black": (lambda scene: over_video(_black(scene)), True),
    "opaque, black, lost pose": (lambda scene: over_video(_black(scene), lag=3), False),
}


def measure(
    scene: Scene, canvas: np.ndarray, tracked: bool, networks: Networks | None
) -> tuple[dict[str, float], list[np.ndarray]]:
    """The figures, and what to look at: camera, composite, the mask's errors (red: painted, blue: bare)."""
    pose = Pose(scene.landmarks if tracked else _LOST, size_of(scene.frame))
    garment = find_garment(canvas, scene.frame, pose, networks=networks)
    picture = composite(garment, scene.frame)
    found, truth, drawn = (part > 127 for part in (garment.mask, scene.truth, scene.drawn))
    hidden, wanted = drawn & ~truth, drawn & truth
    hands = _near_hands(Pose(scene.landmarks, size_of(scene.frame)))
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 3, scene.frame.shape)
    again = find_garment(canvas, (scene.frame + noise).clip(0, 255).astype(np.uint8), pose, networks=networks)
    changed = cv2.absdiff(again.mask, garment.mask) > 63
    figures = {
        "iou": iou(garment.mask, scene.truth),
        "painted": _share(found, hidden),
        "painted_hands": _share(found, hidden & hands),
        "painted_head": _share(found, hidden & ~hands),
        "bare": float((wanted & ~found).sum() / max(wanted.sum(), 1)),
        "rim": _rim(picture, scene),
        "flicker": float(changed.sum() / max(truth.sum(), 1)),
    }
    errors = scene.frame // 3
    errors[found & truth] += 110
    errors[found & ~truth] = (40, 40, 255)
    errors[wanted & ~found] = (255, 90, 40)
    errors[truth & ~drawn & ~found] = (90, 130, 40)  # shows what no render has drawn, as a collar's inside
    return figures, [scene.frame, picture, errors]


def _share(found: np.ndarray, hidden: np.ndarray) -> float:
    """NaN where too little is hidden to tell."""
    return float((found & hidden).sum() / hidden.sum()) if hidden.mean() > 2e-4 else float("nan")


def _near_hands(pose: Pose) -> np.ndarray:
    """Closer to a hand or forearm than to the face: (H, W) bool."""
    distances = []
    for points in ([number for hand in HANDS for number in hand] + [13, 14], range(11)):
        seeds = np.full(pose.size[::-1], 255, np.uint8)
        for x, y in pose.points[list(points)]:
            cv2.circle(seeds, (round(x), round(y)), 2, 0, -1)
        distances.append(cv2.distanceTransform(seeds, cv2.DIST_L2, 5))
    return distances[0] < distances[1]


def _rim(picture: np.ndarray, scene: Scene) -> float:
    """See above. What is brighter than both the camera and the garment near by belongs to neither."""
    outside = scene.truth < 8
    around = outside & (cv2.dilate(scene.truth, np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8)) > 127)
    grey, frame = (cv2.cvtColor(p, cv2.COLOR_BGR2GRAY) for p in (picture, scene.frame))
    brighter = cv2.subtract(grey, cv2.dilate(frame, np.ones((3, 3), np.uint8)))
    return float(brighter[around].mean()) if around.any() else 0.0


def means(rows: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each figure, and its worst."""
    table = {}
    for name in FIGURES:
        values = np.array([row[name] for row in rows])
        if np.isnan(values).all():
            continue
        table[name] = round(float(np.nanmean(values)), 4)
        table[f"worst {name}"] = round(float((np.nanmin if name == "iou" else np.nanmax)(values)), 4)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scenes", type=Path, required=True, help="a folder of scenes")
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), help="default: all", metavar="KIND")
    parser.add_argument("--geometry", action="store_true", help="leave the networks out")
    parser.add_argument(
        "--network", type=Path, help="its ONNX file (default: that of preprocess, if there is one)"
    )
    parser.add_argument("--output", type=Path, default=Path("build/benchmarks/masks"))
    args = parser.parse_args()

    cv2.setNumThreads(1)
    networks = None if args.geometry else open_networks(visible=args.network)
    report: dict[str, dict[str, dict[str, float]]] = {}
    scenes = list(read_scenes(args.scenes))
    for kind in args.kinds or KINDS:
        canvas, tracked = KINDS[kind]
        measured = [(scene.name, *measure(scene, canvas(scene), tracked, networks)) for scene in scenes]
        report[kind] = {name: figures for name, figures, _ in measured}
        worst = sorted(measured, key=lambda row: row[1]["iou"])[:3]
        write_sheet(
            [row[2] for row in worst], args.output / f"{kind.replace(', ', '_').replace(' ', '_')}.png"
        )
    (args.output / "masks.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps({kind: means(list(rows.values())) for kind, rows in report.items()}, indent=2))


if __name__ == "__main__":
    sys.exit(run("bench-masks", main))
