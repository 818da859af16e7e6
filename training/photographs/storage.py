"""A rendered geometry as a folder of PNG files: its passes, its maps and `meta.json`.

A pass is the geometry's picture under one light of the basis. Passes are stored one below the other in one
PNG, as `255 * (value / scale) ** (1 / GAMMA)`, with the scale of each pass in `meta.json`: 8 bits are then
as fine as those of a photograph that is exposed for this light.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

VERSION = 1
GAMMA = 2.4
PASSES = ("camera", "worn", "cloth", "gloss")
# The channels of alpha.png.
ALPHAS = ("camera", "worn", "visible", "render")
# Part ids in parts.png.
PARTS = (
    "background", "head", "neck", "torso", "arm", "hand", "legs", "hair", "shirt", "trousers", "jacket",
"eye", )  # fmt: skip
# Panel ids in uv_render.png and uv_target.png.
PANELS = ("none", "body", "sleeve", "collar", "rib", "lining", "hood", "lapel")

_DECODING = ((np.arange(256) / 255.0) ** GAMMA).astype(np.float32)


@dataclass(frozen=True)
class Geometry:
    """A person, a jacket and a camera, under each light of a basis. Sizes: h × w pixels, G lights.

    camera: (G, h, w, 3) the person without the jacket.
    worn: (G, h, w, 3) the person with the jacket on, without the jacket's own pixels; None where it was not
      rendered: then the jacket throws no shadow on the person.
    cloth: (G, h, w, 3) the jacket's own pixels, if its cloth were perfectly white and matt.
    gloss: (G, h, w) the highlights that a coat (refraction 1.5, roughness 0.35) adds to `cloth`.
      These four are linear light, premultiplied by their coverage, and coded: see `decode`.
    alpha: (h, w, 4) uint8, coverages: see ALPHAS. visible: of the jacket, in the photograph.
    flat: (h, w) uint8, the brightness of the jacket, drawn alone under an even sky, where 255 is fully lit.
    normal_render, normal_target: (h, w, 3) unit vectors of the jacket alone, and as visible in the
      photograph; x right, y down, z to the viewer; 0 where there is none.
    parts_camera, parts_target: (h, w) uint8, index into PARTS.
    uv_render, uv_target: (2h, 2w, 3) uint16 at twice the size: u, v (0 to 65535) and the index into PANELS.
    trim: (n, n) uint8, factor of the cloth's colour at u, v (128: 1), for seams, pockets and buttons.
    landmarks: (33, 4) x, y, z, visibility in MediaPipe's order, x and y as shares of the picture.
    """

    meta: dict[str, Any]
    camera: np.ndarray
    worn: np.ndarray | None
    cloth: np.ndarray
    gloss: np.ndarray
    alpha: np.ndarray
    flat: np.ndarray
    normal_render: np.ndarray
    normal_target: np.ndarray
    parts_camera: np.ndarray
    parts_target: np.ndarray
    uv_render: np.ndarray
    uv_target: np.ndarray
    trim: np.ndarray
    landmarks: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.alpha.shape[:2]
        return height, width

    def coverage(self, name: str) -> np.ndarray:
        """(h, w) float32, 0 to 1, of a name of ALPHAS."""
        return self.alpha[..., ALPHAS.index(name)].astype(np.float32) / 255

    def combine(self, name: str, weights: np.ndarray) -> np.ndarray:
        """A layer under a mixture of the basis' lights, linear light: (h, w, 3).

        weights: (G, 3), how many times each light's own strength, in RGB.
        """
        codes = getattr(self, name)
        scaled = weights * np.asarray(self.meta["scales"][name])[:, None]
        light = np.zeros((*codes.shape[1:3], 3), np.float32)
        if name in ("camera", "worn"):
            rows, columns = _extent(self.coverage(name))
        else:
            rows, columns = _extent(self.coverage("visible"))
        inner = light[rows, columns]
        tables = _DECODING[:, None] * scaled[:, None].astype(np.float32)  # (G, 256, 3)
        for code, table in zip(codes[:, rows, columns], tables, strict=True):
            if not table.any() or not code.size:
                continue
            if code.ndim == 2:
                code = np.repeat(code[..., None], 3, axis=-1)
            inner += cv2.LUT(np.ascontiguousarray(code), table[None])
        return light


def _extent(coverage: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns that are covered at all."""
    spans = []
    for axis in (1, 0):
        found = np.flatnonzero(coverage.any(axis=axis))
        spans.append(slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, 0))
    return spans[0], spans[1]


def encode(passes: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Linear passes (G, h, w, …) → uint8 codes of the same shape, and the scale of each pass.

    A handful of the brightest values is clipped, so that one firefly does not take the range of all others.
    """
    codes, scales = np.empty(passes.shape, np.uint8), []
    for index, one in enumerate(passes):
        bright = one[one > 0]
        scale = float(np.quantile(bright, 0.9995)) if bright.size else 0.0
        scales.append(round(scale, 6))
        share = np.clip(one / scale, 0, 1) if scale > 0 else np.zeros_like(one)
        codes[index] = np.rint(255 * share ** (1 / GAMMA))
    return codes, scales


def decode(codes: np.ndarray, scale: float) -> np.ndarray:
    """One pass's codes → linear light, float32."""
    return _DECODING[codes] * np.float32(scale)


def _write(path: Path, picture: np.ndarray) -> None:
    if picture.ndim == 3 and picture.shape[2] >= 3:
        order = [2, 1, 0, *range(3, picture.shape[2])]
        picture = picture[..., order]
    ok, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 6])
    assert ok
    path.write_bytes(data.tobytes())


def _read(path: Path) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ValueError(f"{path} is not a picture")
    if picture.ndim == 3:
        picture = picture[..., [2, 1, 0, *range(3, picture.shape[2])]]
    return np.ascontiguousarray(picture)


def write_geometry(folder: Path, geometry: Geometry) -> None:
    """Write the folder in one step: a process that is killed leaves no half of it."""
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in PASSES:
        codes = getattr(geometry, name)
        if codes is not None:
            _write(partial / f"{name}.png", codes.reshape(-1, *codes.shape[2:]))
    for name in ("alpha", "flat", "uv_render", "uv_target", "trim"):
        _write(partial / f"{name}.png", getattr(geometry, name))
    normals = np.concatenate([geometry.normal_render, geometry.normal_target])
    _write(partial / "normals.png", np.rint(127.5 * (normals + 1)).astype(np.uint8))
    _write(partial / "parts.png", np.concatenate([geometry.parts_camera, geometry.parts_target]))
    meta = {**geometry.meta, "landmarks": np.round(geometry.landmarks, 5).tolist()}
    (partial / "meta.json").write_text(json.dumps(meta, indent=1))
    os.replace(partial, folder)


def geometry_passes(meta: dict[str, Any]) -> list[str]:
    return [name for name in PASSES if name in meta["scales"]]


def read_geometry(folder: Path) -> Geometry:
    """Raises FileNotFoundError for a folder without a geometry, ValueError for one of another version."""
    meta = json.loads((folder / "meta.json").read_text())
    if meta["format"] != VERSION:
        raise ValueError(f"{folder} has format {meta['format']}, and this reader reads {VERSION}")
    lights = len(meta["lights"])
    passes: dict[str, np.ndarray] = {}
    for name in geometry_passes(meta):
        stack = _read(folder / f"{name}.png")
        passes[name] = stack.reshape(lights, -1, *stack.shape[1:])
    maps = {
        name: _read(folder / f"{name}.png") for name in ("alpha", "flat", "uv_render", "uv_target", "trim")
    }
    normals = _read(folder / "normals.png").astype(np.float32) / 127.5 - 1
    length = np.linalg.norm(normals, axis=2, keepdims=True)
    normals = np.where(length > 0.3, normals / np.maximum(length, 0.3), 0)
    normal_render, normal_target = np.split(normals, 2)
    parts_camera, parts_target = np.split(_read(folder / "parts.png"), 2)
    return Geometry(
        meta=meta,
        worn=passes.pop("worn", None),
        **passes,
        **maps,
        normal_render=normal_render,
        normal_target=normal_target,
        parts_camera=parts_camera,
        parts_target=parts_target,
        landmarks=np.asarray(meta["landmarks"], np.float32),
    )
