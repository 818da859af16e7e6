"""Turns the points of other trackers into MediaPipe's 33.

A tracker's points are told apart by their names, else by the order that is known for their number: COCO has
17 (MoveNet, PoseNet, YOLO), OpenPose 18 or 25. An order counts only if it gives a body that can be one: with
another tracker's shoulders the garment would vanish. Points that the pipeline needs and the tracker does not
have, mouth and hands, are derived from their neighbours, so that face and hands stay free.
https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from frontend_proxy.landmarks import Mark, compact

MEDIAPIPE = (
    *("nose", "left_eye_inner", "left_eye", "left_eye_outer"),
    *(
        "right_eye_inner",
        "right_eye",
        "right_eye_outer",
        "left_ear",
        "right_ear",
        "left_mouth",
        "right_mouth",
    ),
    *(
        f"{side}_{joint}"
        for joint in (
            *("shoulder", "elbow", "wrist", "pinky", "index", "thumb"),
            *("hip", "knee", "ankle", "heel", "footindex"),
        )
        for side in ("left", "right")
    ),
)
LANDMARKS = len(MEDIAPIPE)
_AUXILIARY = 39  # BlazePose's own output: MediaPipe's 33 and 6 more
_LEFT_THEN_RIGHT = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_COCO = ("nose", *(f"{side}_{joint}" for joint in _LEFT_THEN_RIGHT for side in ("left", "right")))
_ARMS = ("nose", "neck", *(f"{s}_{j}" for s in ("right", "left") for j in ("shoulder", "elbow", "wrist")))
_LEGS = tuple(f"{side}_{joint}" for side in ("right", "left") for joint in ("hip", "knee", "ankle"))
_FACE = ("right_eye", "left_eye", "right_ear", "left_ear")
_ORDERS: dict[int, tuple[str, tuple[str, ...]]] = {
    17: ("COCO", _COCO),
    18: ("OpenPose", (*_ARMS, *_LEGS, *_FACE)),
    25: ("OpenPose", (*_ARMS, "hip", *_LEGS, *_FACE)),
    26: ("COCO", _COCO),  # Halpe and COCO-WholeBody begin with COCO's 17
    133: ("COCO", _COCO),
    136: ("COCO", _COCO),
}
_ALIASES = {
    "sho": "shoulder",
    "elb": "elbow",
    "wri": "wrist",
    "ank": "ankle",
    "kne": "knee",
    "innereye": "eyeinner",
    "outereye": "eyeouter",
    "mouthcorner": "mouth",
    "toe": "footindex",
    "bigtoe": "footindex",
    "foot": "footindex",
    "littlefinger": "pinky",
    "indexfinger": "index",
    "pinkyfinger": "pinky",
}
_SPELLINGS = {compact(name.partition("_")[2]): name.partition("_")[2] for name in MEDIAPIPE if "_" in name}
_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
_HEAD = ("nose", *_FACE, "left_mouth", "right_mouth")
# Other trackers' scores are lower: from 0.3 on a point counts as seen, which is 0.5 in MediaPipe.
_SCORE_GAIN = 5 / 3
_EXAMPLE = "send MediaPipe's 33 in their order, or give each point a `name` such as left_shoulder"

Body = dict[str, Mark]


def to_mediapipe(marks: Sequence[Mark]) -> tuple[list[Mark | None] | None, str | None]:
    """MediaPipe's points (None for those that are not known), and a sentence for the client.

    No points at all if it is not known which is which.
    """
    named = {name: mark for mark in marks if (name := joint_name(mark.name))}
    if {"left_shoulder", "right_shoulder"} <= named.keys():
        whole = len(named) >= LANDMARKS - 1
        return _points(named if whole else _with_derived(_scored(named))), None
    if len(marks) in (LANDMARKS, _AUXILIARY):
        return list(marks[:LANDMARKS]), None
    tracker, order = _ORDERS.get(len(marks), ("", ()))
    body = _scored(dict(zip(order, marks, strict=False)))
    if _can_be_a_body(body):
        read_as = f"pose: {len(marks)} landmarks without names were read in {tracker}'s order"
        return _points(_with_derived(body)), f"{read_as}; if that is wrong, {_EXAMPLE}"
    if _can_be_a_body(dict(zip(MEDIAPIPE, marks, strict=False))):
        return list(marks[:LANDMARKS]), None
    unknown = f"pose: {len(marks)} landmarks are not MediaPipe's {LANDMARKS}"
    return None, f"{unknown}, so the picture was made without a pose; {_EXAMPLE}"


def joint_name(name: str | None) -> str | None:
    """MediaPipe's joint for a name in any library's spelling: `leftShoulder`, `LEFT_SHOULDER`, `LSho`."""
    if not name or len(name) > 60:
        return None
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]
    words = [word for word in words if word not in ("joint", "landmark", "keypoint", "body")]
    sides = [word for word in words if word in _SIDES]
    joint = "".join(word for word in words if word not in _SIDES)
    if not sides:  # leftshoulder, shoulderleft
        if match := re.fullmatch(r"(left|right)(.+)", joint):
            sides, joint = [match[1]], match[2]
        elif match := re.fullmatch(r"(.+)(left|right)", joint):
            sides, joint = [match[2]], match[1]
    joint = _ALIASES.get(joint, joint)
    if joint == "nose":
        return joint
    return f"{_SIDES[sides[0]]}_{_SPELLINGS[joint]}" if sides and joint in _SPELLINGS else None


def _points(body: Mapping[str, Mark]) -> list[Mark | None]:
    return [body.get(name) for name in MEDIAPIPE]


def _scored(body: Body) -> Body:
    """Scores on MediaPipe's scale, without the points at (0, 0), which mean that nothing was found."""
    scored = {}
    for name, mark in body.items():
        if not mark.x and not mark.y:
            continue
        score = mark.z if mark.third else mark.visibility
        if score is not None and 0 < score <= 1:
            score = min(1.0, score * _SCORE_GAIN)
        scored[name] = Mark(mark.x, mark.y, 0.0, score, mark.name)
    return scored


def _at(body: Mapping[str, Mark], name: str) -> np.ndarray | None:
    """x and y of a point; None if it is unknown."""
    mark = body.get(name)
    if mark is None or mark.x is None or mark.y is None or not np.isfinite([mark.x, mark.y]).all():
        return None
    return np.array([mark.x, mark.y]) if max(abs(mark.x), abs(mark.y)) < 1e6 else None


def _can_be_a_body(body: Mapping[str, Mark]) -> bool:
    """Whether a small head is above two shoulders, and the elbows are not far from these."""
    left, right = (_at(body, f"{side}_shoulder") for side in ("left", "right"))
    head = [point for name in _HEAD if (point := _at(body, name)) is not None]
    if left is None or right is None or len(head) < 2:
        return False
    down = (left + right) / 2 - np.mean(head, axis=0)
    size = float(np.linalg.norm(down))
    spread = float(np.linalg.norm(np.ptp(head, axis=0)))
    if not 0 < down[1] or abs(down[0]) > down[1] or spread > 1.2 * size:
        return False
    if not 0.02 * size < np.linalg.norm(left - right) < 4 * size:
        return False
    arms = [(left, _at(body, "left_elbow")), (right, _at(body, "right_elbow"))]
    return all(
        elbow is None or 0.1 * size < np.linalg.norm(elbow - shoulder) < 4 * size for shoulder, elbow in arms
    )


def _with_derived(body: Body) -> Body:
    """`body` with the mouth and the hands that its tracker does not have."""
    derived = dict(body)
    _derive_eyes(derived)
    _derive_mouth(derived)
    for side in ("left", "right"):
        _derive_hand(derived, side)
    return derived


def _add(body: Body, sources: Sequence[str], **points: np.ndarray) -> None:
    """Points that are as visible as the least visible of their sources; those that are known stay."""
    visible = [v for name in sources if (v := body[name].visibility) is not None]
    for name, (x, y) in points.items():
        body.setdefault(name, Mark(float(x), float(y), 0.0, min(visible, default=None)))


def _derive_eyes(body: Body) -> None:
    """Between the ears, where the eyes of a face that looks at the camera are."""
    left, right = _at(body, "left_ear"), _at(body, "right_ear")
    if left is not None and right is not None:
        middle, half = (left + right) / 2, (left - right) / 2
        sources = ("left_ear", "right_ear")
        _add(body, sources, left_eye=middle + 0.45 * half, right_eye=middle - 0.45 * half)


def _derive_mouth(body: Body) -> None:
    """Twice as far from the eyes as the tip of the nose."""
    nose, left, right = (_at(body, name) for name in ("nose", "left_eye", "right_eye"))
    if nose is None or left is None or right is None:
        return
    middle, half = (left + right) / 2, (left - right) / 2
    axis = nose - middle
    length = float(np.linalg.norm(axis))
    if not length:
        return
    mouth = middle + axis * max(2.1, 1.9 * float(np.linalg.norm(half)) / length)
    _add(
        body,
        ("nose", "left_eye", "right_eye"),
        left_mouth=mouth + 0.7 * half,
        right_mouth=mouth - 0.7 * half,
    )


def _derive_hand(body: Body, side: str) -> None:
    """A straight hand: the knuckles continue the forearm by 0.3 of its length."""
    elbow, wrist = _at(body, f"{side}_elbow"), _at(body, f"{side}_wrist")
    if elbow is None or wrist is None:
        return
    forearm = wrist - elbow
    across = np.array([-forearm[1], forearm[0]])
    places = {"pinky": (0.28, 0.08), "index": (0.32, -0.04), "thumb": (0.2, -0.12)}
    knuckles = {
        f"{side}_{name}": wrist + along * forearm + aside * across for name, (along, aside) in places.items()
    }
    _add(body, (f"{side}_elbow", f"{side}_wrist"), **knuckles)
