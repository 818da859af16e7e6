"""glTF 2.0 as one file (GLB): the swatch and its material.

Besides the core it uses KHR_texture_transform, KHR_materials_sheen, _specular, _clearcoat and _anisotropy.
None of them is required: a program without them shows the cloth with a plainer finish.
"""

import json
from typing import Any

import numpy as np

from fabric.packs.packed import PackedFabric, is_number
from fabric.packs.swatch import SIDE_M, Swatch, make_swatch
from fabric.packs.textures import Textures

_FLOAT, _USHORT = 5126, 5123
_VERTICES, _INDICES = 34962, 34963
_LINEAR, _MIPMAPS, _REPEAT = 9729, 9987, 10497


def glb(fabric: PackedFabric, textures: Textures) -> bytes:
    """The file's bytes."""
    binary = _Binary()
    mesh = _mesh(binary, make_swatch())
    pictures = {
        "base colour": textures.diff_alpha,
        "occlusion, roughness, metalness": textures.arm,
        "normal": textures.nor_gl,
    }
    material, extensions = _material(fabric)
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "Lucy Serve"},
        "extensionsUsed": ["KHR_texture_transform", *extensions],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": fabric.name}],
        "meshes": [mesh],
        "materials": [material],
        "textures": [{"sampler": 0, "source": number} for number in range(len(pictures))],
        "samplers": [{"magFilter": _LINEAR, "minFilter": _MIPMAPS, "wrapS": _REPEAT, "wrapT": _REPEAT}],
        "images": [
            {"name": name, "mimeType": it.media_type, "bufferView": binary.add(it.data)}
            for name, it in pictures.items()
        ],
    }
    if fabric.license:
        document["asset"]["copyright"] = fabric.license
    document |= {
        "accessors": binary.accessors,
        "bufferViews": binary.views,
        "buffers": [{"byteLength": len(binary.data)}],
    }
    return _framed(document, bytes(binary.data))


def _material(fabric: PackedFabric) -> tuple[dict[str, Any], list[str]]:
    """The material, and the names of its extensions."""
    across, down = (round(SIDE_M / side, 6) for side in fabric.tile_m)
    repeated = {"extensions": {"KHR_texture_transform": {"scale": [across, down]}}}
    extensions: dict[str, Any] = {
        "KHR_materials_specular": {"specularFactor": fabric.number("specularIntensity", 1.0)}
    }
    if any(fabric.sheen):
        extensions["KHR_materials_sheen"] = {
            "sheenColorFactor": list(fabric.sheen),
            "sheenRoughnessFactor": fabric.number("sheenRoughness", 0.5),
        }
    if clearcoat := fabric.number("clearcoat"):
        extensions["KHR_materials_clearcoat"] = {
            "clearcoatFactor": clearcoat,
            "clearcoatRoughnessFactor": fabric.number("clearcoatRoughness"),
        }
    if anisotropy := fabric.number("anisotropy"):
        extensions["KHR_materials_anisotropy"] = {"anisotropyStrength": anisotropy}
        if is_number(turn := fabric.material.get("anisotropyRotation")):
            extensions["KHR_materials_anisotropy"]["anisotropyRotation"] = float(turn)
    material: dict[str, Any] = {
        "name": fabric.name,
        "doubleSided": True,
        "pbrMetallicRoughness": {
            "baseColorTexture": {"index": 0, **repeated},
            "metallicRoughnessTexture": {"index": 1, **repeated},
        },
        "occlusionTexture": {"index": 1, **repeated},
        "normalTexture": {"index": 2, **repeated},
        "extensions": extensions,
    }
    if fabric.details:
        material["extras"] = dict(fabric.details)
    if "alpha" in fabric.maps:
        cutoff = fabric.cutoff
        material |= {"alphaMode": "BLEND"} if cutoff is None else {"alphaMode": "MASK", "alphaCutoff": cutoff}
    return material, list(extensions)


def _mesh(binary: "_Binary", swatch: Swatch) -> dict[str, Any]:
    attributes = {
        "POSITION": binary.vertices(swatch.positions, limits=True),
        "NORMAL": binary.vertices(swatch.normals),
        "TANGENT": binary.vertices(swatch.tangents),
        "TEXCOORD_0": binary.vertices(swatch.uv),
    }
    indices = binary.indices(swatch.triangles)
    return {"name": "swatch", "primitives": [{"attributes": attributes, "indices": indices, "material": 0}]}


class _Binary:
    """The binary part of the file: views of it, and accessors of those with numbers."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, content: bytes, **more: int) -> int:
        """The number of a new view, which begins at a multiple of four bytes."""
        self.data += bytes(-len(self.data) % 4)
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(content), **more})
        self.data += content
        return len(self.views) - 1

    def vertices(self, values: np.ndarray, limits: bool = False) -> int:
        """The number of an accessor with one row for each vertex."""
        rows = values.astype("<f4")
        ends = {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()} if limits else {}
        return self._accessor(rows, _VERTICES, _FLOAT, f"VEC{rows.shape[1]}", ends)

    def indices(self, triangles: np.ndarray) -> int:
        return self._accessor(triangles.astype("<u2").reshape(-1), _INDICES, _USHORT, "SCALAR", {})

    def _accessor(
        self, rows: np.ndarray, target: int, component: int, kind: str, ends: dict[str, Any]
    ) -> int:
        view = self.add(rows.tobytes(), target=target)
        self.accessors.append(
            {"bufferView": view, "componentType": component, "count": len(rows), "type": kind, **ends}
        )
        return len(self.accessors) - 1


def _framed(document: dict[str, Any], binary: bytes) -> bytes:
    """Header and the two chunks of a GLB, each filled up to a multiple of four bytes."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    chunks = [
        (b"JSON", text + b" " * (-len(text) % 4)),
        (b"BIN\0", binary + bytes(-len(binary) % 4)),
    ]
    body = b"".join(len(content).to_bytes(4, "little") + kind + content for kind, content in chunks)
    return b"glTF" + (2).to_bytes(4, "little") + (12 + len(body)).to_bytes(4, "little") + body
