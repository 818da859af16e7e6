"""A dark room: when the camera's whole frame gets darker, the jacket must, too."""

import numpy as np

from benchmarks.photographs.dressing import Dress
from benchmarks.photographs.scene import Scene

# Of the light that is left.
TENTH = 0.1


async def share_kept(dress: Dress, scene: Scene, share: float = TENTH) -> float:
    """The jacket's brightness in the dark, in linear light, over that in the scene's own light.

    Right is `share`; 1 is a jacket that glows as if nothing had happened."""
    before = await dress(scene, "keyframe")
    after = await dress(scene.darkened(share), "keyframe")
    where = (before.mask > 127) & (after.mask > 127)
    return float(_light(after.picture, where) / max(_light(before.picture, where), 1e-6))


def _light(picture: np.ndarray, where: np.ndarray) -> float:
    """The mean of the linear values."""
    return float((((picture[where].astype(np.float64) / 255 + 0.055) / 1.055) ** 2.4).mean())
