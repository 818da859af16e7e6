"""The parts of a body: which bone a vertex follows most, and what part of the body that is."""

from functools import lru_cache

import numpy as np

from training.photographs.body import SKIN, base_mesh, rig


@lru_cache
def part_of_vertices() -> np.ndarray:
    """The name of the strongest bone of each skin vertex."""
    skeleton = rig()
    return np.array(skeleton.names)[skeleton.joints[SKIN, 0]]


# Index into PARTS, and how the names of its bones begin.
_PART_BONES = {
    1: (
        "head",
        "jaw",
        "neck03",
        "eye",
        "oculi",
        "oris",
        "levator",
        "orbicularis",
        "risorius",
        "special",
        "temporalis",
        "tongue",
    ),
    2: ("neck",),
    5: ("wrist", "finger", "metacarpal"),
    4: ("upperarm", "lowerarm"),
    6: ("upperleg", "lowerleg", "foot", "toe"),
}


@lru_cache
def skin_parts() -> np.ndarray:
    """Index into PARTS of each skin vertex."""
    bones = part_of_vertices()
    parts = np.full(len(bones), 3, np.uint8)
    for part, prefixes in reversed(_PART_BONES.items()):
        for prefix in prefixes:
            parts[np.char.startswith(bones, prefix)] = part
    return parts


def body_faces(kept: np.ndarray) -> np.ndarray:
    faces = base_mesh().faces[base_mesh().groups["body"]]
    return faces[kept[faces].all(axis=1)]
