"""USDZ: the swatch and its material as USD, for AR Quick Look and everything else that reads USD.

A stage in USD's text form is short enough to be written here: the library that writes it would be 200 MB.
UsdPreviewSurface has no sheen, so the cloth's specular reflection is its only finish.
"""

import json
import re
from math import sqrt

import numpy as np

from fabric.encode import EncodedImage
from fabric.packs.archive import usdz
from fabric.packs.packed import PackedFabric
from fabric.packs.swatch import SIDE_M, make_swatch
from fabric.packs.textures import Textures

_DIELECTRIC = 0.04  # reflectance of a plain dielectric, which `specularIntensity` multiplies
_SURFACE = "/Fabric/Materials/Cloth"


def usdz_file(fabric: PackedFabric, textures: Textures) -> bytes:
    pictures = {"diff": textures.diff_alpha, "arm": textures.arm, "nor_gl": textures.nor_gl}
    names = {name: f"textures/{name}.{_extension(it)}" for name, it in pictures.items()}
    stage = _stage(fabric, names)
    return usdz({"fabric.usda": stage.encode(), **{names[name]: it.data for name, it in pictures.items()}})


def _extension(image: EncodedImage) -> str:
    return "png" if image.media_type == "image/png" else "jpg"


def _stage(fabric: PackedFabric, names: dict[str, str]) -> str:
    return f"""#usda 1.0
(
    customLayerData = {{
        string creator = "Lucy Serve"
        string license = {_text(fabric.license or "")}
    }}
    defaultPrim = "Fabric"
    metersPerUnit = 1
    upAxis = "Y"
)

def Xform "Fabric" (
    displayName = {_text(fabric.name)}
    kind = "component"
)
{{
{_mesh()}

    def Scope "Materials"
    {{
{_material(fabric, names)}
    }}
}}
"""


def _mesh() -> str:
    swatch = make_swatch()
    up = swatch.uv * [1, -1] + [0, 1]  # USD's v points up
    ends = swatch.positions.min(axis=0), swatch.positions.max(axis=0)
    return f"""    def Mesh "Swatch" (
        prepend apiSchemas = ["MaterialBindingAPI"]
    )
    {{
        uniform bool doubleSided = 1
        float3[] extent = {_rows(np.array(ends))}
        int[] faceVertexCounts = [{", ".join(["3"] * len(swatch.triangles))}]
        int[] faceVertexIndices = [{", ".join(map(str, swatch.triangles.reshape(-1).tolist()))}]
        rel material:binding = <{_SURFACE}>
        normal3f[] normals = {_rows(swatch.normals)} (
            interpolation = "vertex"
        )
        point3f[] points = {_rows(swatch.positions)}
        texCoord2f[] primvars:st = {_rows(up)} (
            interpolation = "vertex"
        )
        uniform token subdivisionScheme = "none"
    }}"""


def _material(fabric: PackedFabric, names: dict[str, str]) -> str:
    across, down = (SIDE_M / side for side in fabric.tile_m)
    reflectance = sqrt(_DIELECTRIC * fabric.number("specularIntensity", 1.0))
    opacity = ""
    if "alpha" in fabric.maps:
        threshold = 0.0 if fabric.cutoff is None else fabric.cutoff
        opacity = f"""
                float inputs:opacity.connect = <{_SURFACE}/diff.outputs:a>
                float inputs:opacityThreshold = {threshold:g}"""
    parts = [
        _texture("diff", names, "sRGB", {"rgb": "float3", "a": "float"}),
        _texture("arm", names, "raw", {"r": "float", "g": "float", "b": "float"}),
        _texture(
            "nor_gl", names, "raw", {"rgb": "float3"},
            "\n                float4 inputs:bias = (-1, -1, -1, 0)"
            "\n                float4 inputs:scale = (2, 2, 2, 1)",
        ),
    ]  # fmt: skip
    return f"""        def Material "Cloth"
        {{
            token outputs:surface.connect = <{_SURFACE}/surface.outputs:surface>

            def Shader "surface"
            {{
                uniform token info:id = "UsdPreviewSurface"
                float inputs:clearcoat = {fabric.number("clearcoat"):g}
                float inputs:clearcoatRoughness = {fabric.number("clearcoatRoughness"):g}
                color3f inputs:diffuseColor.connect = <{_SURFACE}/diff.outputs:rgb>
                float inputs:ior = {(1 + reflectance) / (1 - reflectance):.4f}
                float inputs:metallic.connect = <{_SURFACE}/arm.outputs:b>
                normal3f inputs:normal.connect = <{_SURFACE}/nor_gl.outputs:rgb>
                float inputs:occlusion.connect = <{_SURFACE}/arm.outputs:r>{opacity}
                float inputs:roughness.connect = <{_SURFACE}/arm.outputs:g>
                token outputs:surface
            }}

            def Shader "uv"
            {{
                uniform token info:id = "UsdPrimvarReader_float2"
                string inputs:varname = "st"
                float2 outputs:result
            }}

            def Shader "tiles"
            {{
                uniform token info:id = "UsdTransform2d"
                float2 inputs:in.connect = <{_SURFACE}/uv.outputs:result>
                float2 inputs:scale = ({across:.6g}, {down:.6g})
                float2 outputs:result
            }}

{"".join(parts)}        }}"""


def _texture(name: str, names: dict[str, str], space: str, outputs: dict[str, str], more: str = "") -> str:
    ends = "".join(f"\n                {kind} outputs:{output}" for output, kind in outputs.items())
    return f"""            def Shader "{name}"
            {{
                uniform token info:id = "UsdUVTexture"{more}
                asset inputs:file = @{names[name]}@
                token inputs:sourceColorSpace = "{space}"
                float2 inputs:st.connect = <{_SURFACE}/tiles.outputs:result>
                token inputs:wrapS = "repeat"
                token inputs:wrapT = "repeat"{ends}
            }}
"""


def _rows(values: np.ndarray) -> str:
    return "[" + ", ".join("(" + ", ".join(f"{v:.6g}" for v in row) + ")" for row in values) + "]"


def _text(value: str) -> str:
    """A string of USD's text form: JSON's escapes mean the same there, but for other letters than ASCII."""
    return json.dumps(re.sub(r"[\x00-\x1f\x7f]+", " ", value), ensure_ascii=False)
