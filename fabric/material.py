"""Physically based materials: the priors of each class of fabric.

One photo under one light does not show how rough a cloth is or how deep its weave is. Those values come
from its class, and the photo only modulates them. Roughness is the GGX `roughness` of glTF; sheen follows
Estevez & Kulla, "Production Friendly Microfacet Sheen BRDF" (2017), as in KHR_materials_sheen.
"""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

MAX_STRETCH = 0.01  # of the tile; nobody sees less


@dataclass(frozen=True)
class FabricClass:
    """The prior of one class of cloth.

    roughness: mean roughness, 0 (mirror) to 1 (chalk).
    slope: root mean square slope of its relief (rise over run, both in pixels of the tile). darkness: the
        share of it that is taken for true where the photo shows no shading, but only darker places.
    sheen: weight of the sheen lobe; sheen_roughness: its width; sheen_tint: 0 white, 1 the cloth's colour.
    specular: `specularIntensity`; fibres reflect less than the 4 % of a solid dielectric.
    anisotropy: 0 to 1, how far parallel fibres draw out the highlight, where the photo shows their direction
        (Burley, "Physically Based Shading at Disney", 2012). clearcoat: weight of a smooth film on it;
        clearcoat_roughness: of the film.
    holes: one sees through it between its threads.
    """

    roughness: float
    slope: float
    sheen: float
    sheen_roughness: float
    sheen_tint: float = 0.6
    specular: float = 0.5
    darkness: float = 0.04
    anisotropy: float = 0.0
    clearcoat: float = 0.0
    clearcoat_roughness: float = 0.3
    holes: bool = False


FABRIC_CLASSES = MappingProxyType(
    {
        "cloth": FabricClass(0.80, 0.25, 0.4, 0.6),
        "cotton": FabricClass(0.82, 0.25, 0.3, 0.7),
        "denim": FabricClass(0.84, 0.32, 0.3, 0.7),
        "canvas": FabricClass(0.84, 0.34, 0.2, 0.7),
        "linen": FabricClass(0.80, 0.32, 0.2, 0.7),
        "wool": FabricClass(0.88, 0.34, 0.7, 0.5),
        "tweed": FabricClass(0.88, 0.36, 0.6, 0.6),
        "flannel": FabricClass(0.88, 0.22, 0.7, 0.5),
        "fleece": FabricClass(0.90, 0.28, 0.9, 0.5),
        "felt": FabricClass(0.82, 0.24, 0.6, 0.6, darkness=0.12),
        "knit": FabricClass(0.84, 0.40, 0.5, 0.6),
        "jersey": FabricClass(0.82, 0.26, 0.4, 0.6),
        "corduroy": FabricClass(0.86, 0.40, 0.9, 0.4),
        "velvet": FabricClass(0.86, 0.18, 1.0, 0.3, sheen_tint=0.8),
        "suede": FabricClass(0.90, 0.16, 0.9, 0.4, sheen_tint=0.8),
        "silk": FabricClass(0.38, 0.10, 0.6, 0.3, sheen_tint=0.5, specular=1.0, anisotropy=0.5),
        "satin": FabricClass(0.32, 0.08, 0.5, 0.3, sheen_tint=0.5, specular=1.0, anisotropy=0.7),
        "chiffon": FabricClass(0.55, 0.12, 0.4, 0.4, specular=0.8),
        "lace": FabricClass(0.70, 0.28, 0.3, 0.5, specular=0.7, holes=True),
        "sequins": FabricClass(0.30, 0.20, 0.0, 0.5, specular=1.0, clearcoat=0.8, clearcoat_roughness=0.1),
        "polyester": FabricClass(0.55, 0.18, 0.4, 0.4, specular=0.8, anisotropy=0.2),
        "nylon": FabricClass(0.48, 0.22, 0.3, 0.4, specular=0.9, anisotropy=0.2),
        "leather": FabricClass(
            0.50, 0.06, 0.0, 0.5, specular=1.0, darkness=0.01, clearcoat=0.15, clearcoat_roughness=0.45
        ),
    }
)


def mesh_physical_material(
    cloth: FabricClass,
    colour: tuple[float, float, float],
    roughness: float,
    aspect: float = 1.0,
    opacity: np.ndarray | None = None,
    fibres: float | None = None,
) -> dict[str, object]:
    """The parameters of Three.js `MeshPhysicalMaterial` for this cloth.

    colour: its mean albedo, linear RGB from 0 to 1. roughness: the factor that multiplies the map.
    aspect: the tile's width by its height on the cloth. opacity: the alpha map, uint8. fibres: their
    direction in radians, anticlockwise from the tile's width; None where the photo shows none.
    `color` is left out, because it would multiply the diffuse map a second time. `repeat` is that of the
    textures, for which the tile's width is 1: a motif that is round on the cloth is round in the picture.
    """
    tint = [round(1 - cloth.sheen_tint * (1 - c), 4) for c in colour]
    material: dict[str, object] = {
        "roughness": round(roughness, 4),
        "metalness": 0.0,
        "normalScale": [1.0, 1.0],
        "aoMapIntensity": 1.0,
        "specularIntensity": cloth.specular,
        "sheen": cloth.sheen,
        "sheenRoughness": cloth.sheen_roughness,
        "sheenColor": tint,
    }
    if cloth.clearcoat:
        material |= {"clearcoat": cloth.clearcoat, "clearcoatRoughness": cloth.clearcoat_roughness}
    if cloth.anisotropy and fibres is not None:
        # The highlight is drawn out across the fibres (glTF: roughness grows along the direction).
        turn = (fibres + np.pi / 2 + np.pi / 2) % np.pi - np.pi / 2
        material |= {"anisotropy": cloth.anisotropy, "anisotropyRotation": round(float(turn), 3) + 0.0}
    if abs(aspect - 1) > MAX_STRETCH:
        material["repeat"] = [1.0, round(aspect, 4)]
    if opacity is not None:
        material |= {"transparent": True} if _is_veil(opacity) else {"alphaTest": 0.5}
    return material


def _is_veil(opacity: np.ndarray) -> bool:
    """Whether one sees through the cloth itself, as through chiffon, and not only through its holes."""
    half = np.count_nonzero((opacity > 30) & (opacity < 225))
    return half > 0.5 * opacity.size
