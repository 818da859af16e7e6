"""One file with a whole fabric, for other programs: a pack in one of `FORMATS`."""

import json
from typing import NamedTuple

from fabric.encode import EncodedImage
from fabric.errors import FabricError
from fabric.packs import materialx
from fabric.packs.archive import zipped
from fabric.packs.gltf import glb
from fabric.packs.packed import PackedFabric
from fabric.packs.textures import Textures
from fabric.packs.usd import usdz_file

VERSION = 1  # rises with every change of a pack's bytes, so that nobody keeps an old one
GLTF, USDZ, ZIP = "model/gltf-binary", "model/vnd.usdz+zip", "application/zip"


class Format(NamedTuple):
    """ending: of the file's name. about: what opens it."""

    media_type: str
    ending: str
    about: str


FORMATS = {
    "gltf": Format(GLTF, ".glb", "glTF 2.0 in one file: Blender, Unreal, Unity, Godot, Three.js"),
    "usdz": Format(USDZ, ".usdz", "USDZ: AR Quick Look on iPhone and iPad, and all that reads USD"),
    "mtlx": Format(ZIP, "-materialx.zip", "MaterialX with its maps: Unreal, Houdini, Maya, Arnold"),
    "zip": Format(ZIP, ".zip", "the maps alone, named as Poly Haven names them"),
    "blend-ready": Format(ZIP, "-blender.zip", "for Blender: the glTF file, and beside it the maps"),
}


class Pack(NamedTuple):
    """A file, its media type, and its name."""

    data: bytes
    media_type: str
    filename: str


def make_pack(fabric: PackedFabric, file_format: str) -> Pack:
    """Raises FabricError: INVALID_INPUT for an unknown format, IMAGE_DECODE for a damaged map."""
    chosen = pack_format(file_format)
    textures = Textures(fabric)
    if file_format == "gltf":
        data = glb(fabric, textures)
    elif file_format == "usdz":
        data = usdz_file(fabric, textures)
    elif file_format == "mtlx":
        data = zipped(_with_materialx(fabric, textures))
    elif file_format == "zip":
        data = zipped(_maps_alone(fabric, textures, ""))
    else:
        data = zipped(
            {f"{fabric.id}.glb": glb(fabric, textures), **_maps_alone(fabric, textures, "textures/")}
        )
    return Pack(data, chosen.media_type, fabric.id + chosen.ending)


def pack_format(name: str) -> Format:
    """Raises FabricError INVALID_INPUT for an unknown one."""
    if name not in FORMATS:
        raise FabricError("INVALID_INPUT", f"format must be one of {', '.join(FORMATS)}")
    return FORMATS[name]


def _with_materialx(fabric: PackedFabric, textures: Textures) -> dict[str, bytes]:
    """The MaterialX document, `<id>.json`, and the maps that a renderer needs."""
    names, files = _named(fabric, textures, _rendered(textures), "textures/")
    document = materialx.document(fabric, names, textures.relief_mm)
    return {
        f"{fabric.id}.mtlx": document,
        f"{fabric.id}.json": _description(fabric, textures, names),
        **files,
    }


def _maps_alone(fabric: PackedFabric, textures: Textures, folder: str) -> dict[str, bytes]:
    """`<id>.json`, and all maps."""
    every = {**_rendered(textures), "nor_dx": textures.nor_dx, "arm": textures.arm}
    names, files = _named(fabric, textures, every, folder)
    return {f"{fabric.id}.json": _description(fabric, textures, names), **files}


def _rendered(textures: Textures) -> dict[str, EncodedImage | None]:
    return {
        "diff": textures.diff,
        "nor_gl": textures.nor_gl,
        "rough": textures.rough,
        "ao": textures.ao,
        "disp": textures.disp,
        "opacity": textures.opacity,
    }


def _named(
    fabric: PackedFabric, textures: Textures, maps: dict[str, EncodedImage | None], folder: str
) -> tuple[dict[str, str], dict[str, bytes]]:
    """The maps' file names by suffix, and the files by name."""
    names, files = {}, {}
    for suffix, image in maps.items():
        if image is not None:
            ending = "png" if image.media_type == "image/png" else "jpg"
            names[suffix] = f"{folder}{fabric.id}_{suffix}_{_resolution(textures.size)}.{ending}"
            files[names[suffix]] = image.data
    return names, files


def _resolution(size: int) -> str:
    """`1k` for 1024 pixels, as Poly Haven writes it."""
    return f"{size // 1024}k" if size >= 1024 else str(size)


def _description(fabric: PackedFabric, textures: Textures, names: dict[str, str]) -> bytes:
    """What a map cannot say. The maps have no factors: roughness and metalness are multiplied in."""
    width, height = (1000 * side for side in fabric.tile_m)
    known = fabric.tile_width_mm is not None
    document = {
        "name": fabric.name,
        "license": fabric.license,
        "tile_mm": [round(width, 2), round(height, 2)] if known else None,
        "tile_aspect": round(fabric.aspect, 4),
        "relief_mm": round(textures.relief_mm, 4) if known else None,
        "normal_convention": {"nor_gl": "OpenGL, +Y up", "nor_dx": "DirectX, +Y down"},
        "maps": names,
        **fabric.details,
    }
    if "nor_dx" not in names:
        document["normal_convention"] = {"nor_gl": "OpenGL, +Y up"}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"
