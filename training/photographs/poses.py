"""Random poses of a person before a webcam, and their landmarks."""

from collections.abc import Callable

import numpy as np

from training.photographs.posing import Skeleton, about

# One entry for each arm; the other may do something else.
ARMS = ("hang", "across", "crossed", "lapel", "hip", "behind", "raised", "chin", "pocket", "forward", "phone")
_CHANCES = (0.24, 0.14, 0.10, 0.09, 0.10, 0.08, 0.07, 0.06, 0.06, 0.04, 0.02)


class Surface:
    """The torso's front and back, for hands that touch it."""

    def __init__(self, vertices: np.ndarray, torso: np.ndarray) -> None:
        self._points = vertices[torso]

    def front(self, x: float, z: float) -> float:
        """The smallest y of the body near a place."""
        near = (np.abs(self._points[:, 0] - x) < 0.05) & (np.abs(self._points[:, 2] - z) < 0.05)
        return float(self._points[near, 1].min()) if near.any() else -0.12

    def back(self, x: float, z: float) -> float:
        near = (np.abs(self._points[:, 0] - x) < 0.06) & (np.abs(self._points[:, 2] - z) < 0.05)
        return float(self._points[near, 1].max()) if near.any() else 0.12

    def side(self, z: float) -> float:
        near = np.abs(self._points[:, 2] - z) < 0.04
        return float(np.abs(self._points[near, 0]).max()) if near.any() else 0.17


def take_pose(skeleton: Skeleton, surface: Surface, rng: np.random.Generator, ease: float) -> dict:
    """Pose the skeleton. ease: how far the jacket stands off the body, metres. Returns what it does."""
    seated = bool(rng.random() < 0.12)
    if seated:
        spread = rng.uniform(0.05, 0.25)
        for side, sign in (("L", 1.0), ("R", -1.0)):
            thigh = about(np.array([0, 0, 1.0]), sign * spread) @ about(
                np.array([1.0, 0, 0]), np.radians(-82)
            )
            skeleton.turn(f"upperleg01.{side}", thigh)
            skeleton.turn(f"lowerleg01.{side}", about(np.array([1.0, 0, 0]), np.radians(80)))
    lean, sway, twist = rng.normal(0, 0.05), rng.normal(0, 0.04), rng.normal(0, 0.08)
    for bone in ("spine04", "spine03", "spine02"):
        skeleton.turn(bone, about(np.array([1.0, 0, 0]), lean / 3))
        skeleton.turn(bone, about(np.array([0, 1.0, 0]), sway / 3))
        skeleton.turn(bone, about(np.array([0, 0, 1.0]), twist / 3))
    yaw, nod, tilt = rng.normal(0, 0.25), rng.normal(0.02, 0.1), rng.normal(0, 0.08)
    for bone in ("neck01", "neck02", "head"):
        skeleton.turn(bone, about(np.array([0, 0, 1.0]), yaw / 3))
        skeleton.turn(bone, about(np.array([1.0, 0, 0]), nod / 3))
        skeleton.turn(bone, about(np.array([0, 1.0, 0]), tilt / 3))
    names = [str(rng.choice(ARMS, p=_CHANCES)) for _ in range(2)]
    if "crossed" in names:
        names = ["crossed", "crossed"]
    if names[0] == names[1] == "across" and rng.random() < 0.7:
        names[1] = "hang"
    first = bool(rng.random() < 0.5)  # which forearm is before the other
    for (side, sign), name in zip((("L", 1.0), ("R", -1.0)), names, strict=True):
        over = (side == "L") == first
        _ARM[name](skeleton, surface, side, sign, over, ease, rng)
        _fingers(skeleton, side, name, rng)
    return {"seated": seated, "left": names[0], "right": names[1], "yaw": round(float(yaw), 3)}


def _fingers(skeleton: Skeleton, side: str, name: str, rng: np.random.Generator) -> None:
    base = {
        "lapel": 0.9,
        "chin": 0.9,
        "phone": 0.8,
        "pocket": 0.2,
        "hip": 0.35,
        "raised": rng.uniform(0, 0.5),
    }
    amount = base.get(name, 0.3)
    curls = np.clip(
        amount + rng.normal(0, 0.08) + rng.normal(0, 0.08, 5) + np.linspace(-0.05, 0.1, 5), 0, 1.4
    )
    curls[0] = np.clip(0.25 + 0.2 * rng.normal(), 0, 0.7)
    skeleton.curl(side, curls)


Arm = Callable[[Skeleton, Surface, str, float, bool, float, np.random.Generator], None]


def _v(*values: float) -> np.ndarray:
    return np.array(values, float)


def _hang(skeleton: Skeleton, surface: Surface, side: str, sign: float, over: bool, ease: float,
          rng: np.random.Generator) -> None:  # fmt: skip
    shoulder = skeleton.head(f"upperarm01.{side}")
    out = rng.uniform(0.07, 0.16) + ease
    wrist = shoulder + _v(sign * out, rng.uniform(-0.14, 0.02), -0.56)
    wrist[0] = sign * max(abs(wrist[0]), surface.side(wrist[2]) + 0.06 + ease)
    skeleton.reach(side, wrist, shoulder + _v(sign * 0.3, 0.5, -0.3))
    skeleton.point_hand(side, _v(sign * 0.05, -0.15, -1), _v(-sign, rng.uniform(-0.2, 0.6), 0))


def _across(skeleton: Skeleton, surface: Surface, side: str, sign: float, over: bool, ease: float,
            rng: np.random.Generator) -> None:  # fmt: skip
    chest, waist = skeleton.head("spine01")[2], skeleton.head("spine04")[2]
    z = rng.uniform(waist - 0.02, chest - 0.08)
    x = sign * rng.uniform(-0.06, 0.13)
    wrist = _v(x, surface.front(x, z) - 0.055 - ease - rng.uniform(0, 0.03), z)
    shoulder = skeleton.head(f"upperarm01.{side}")
    skeleton.reach(side, wrist, shoulder + _v(sign * 0.5, 0.1, -0.6))
    skeleton.point_hand(side, _v(-sign, -0.05, rng.uniform(-0.4, 0.35)), _v(0, 1, rng.uniform(-0.3, 0.3)))


def _crossed(skeleton: Skeleton, surface: Surface, side: str, sign: float, over: bool, ease: float,
             rng: np.random.Generator) -> None:  # fmt: skip
    chest = skeleton.head("spine01")[2]
    z = chest - rng.uniform(0.12, 0.18) - (0.0 if over else 0.035)
    x = -sign * (0.10 + 0.02 * rng.normal())
    y = surface.front(x, z) - (0.13 if over else 0.055) - ease * (2 if over else 1)
    shoulder = skeleton.head(f"upperarm01.{side}")
    skeleton.reach(side, _v(x, y, z), shoulder + _v(sign * 0.45, -0.15, -0.8))
    skeleton.point_hand(side, _v(-sign, 0.15 if over else 0.1, 0.25), _v(-sign * 0.1, 1, -0.2))


def _lapel(skeleton: Skeleton, surface: Surface, side: str, sign: float, over: bool, ease: float,
           rng: np.random.Generator) -> None:  # fmt: skip
    z = skeleton.head("spine01")[2] + rng.uniform(-0.1, 0.0)
    x = sign * rng.uniform(-0.05, 0.09)
    wrist = _v(x, surface.front(x, z) - 0.07 - ease, z)
    shoulder = skeleton.head(f"upperarm01.{side}")
    skeleton.reach(side, wrist, shoulder + _v(sign * 0.5, 0.0, -0.5))
    skeleton.point_hand(side, _v(-sign * 0.6, -0.1, 0.7), _v(0, 1, 0.1))


def _hip(skeleton: Skeleton, surface: Surface, side: str, sign: float, over: bool, ease: float,
         rng: np.random.Generator) -> None:  # fmt: skip
    z = skeleton.head("spine05")[2] + rng.uniform(0.0, 0.08)
    wrist = _v(sign * (surface.side(z) + 0.05 + ease), rng.uniform(-0.02, 0.06), z + 0.03)
    shoulder = skeleton.head(f"upperarm01.{side}")
    skeleton.reach(side, wrist, shoulder + _v(sign * 0.8, 0.35, -0.25))
    skeleton.point_hand(side, _v(-sign * 0.35, -0.75, -0.5), _v(-sign, 0.5, 0.1))


def _behind(skeleton: Skeleton, surface: Surface, side: str, sign: float, over: bool, ease: float,
            rng: np.random.Generator) -> None:  # fmt: skip
    z = skeleton.head("spine05")[2] + rng.uniform(0.02, 0.12)
    x = sign * rng.uniform(0.02, 0.12)
    wrist = _v(x, surface.back(x, z) + 0.05 + ease, z)
    shoulder = skeleton.head(f"upperarm01.{side}")
    skeleton.reach(side, wrist, shoulder + _v(sign * 0.5, 0.5, -0.3))
    skeleton.point_hand(side, _v(-sign, 0.1, -0.4), _v(0, 1, 0.2))


def _raised(skeleton: Skeleton, surface: Surface, side: str, sign: float, over: bool, ease: float,
            rng: np.random.Generator) -> None:  # fmt: skip
    shoulder = skeleton.head(f"upperarm01.{side}")
    wrist = shoulder + _v(sign * rng.uniform(0.1, 0.3), rng.uniform(-0.25, -0.1), rng.uniform(0.0, 0.25))
    skeleton.reach(side, wrist, shoulder + _v(sign * 0.6, 0.1, -0.6))
    skeleton.point_hand(side, _v(sign * rng.normal(0, 0.3), -0.1, 1), _v(-sign * 0.3, -1, 0))


def _chin(skeleton: Skeleton, surface: Surface, side: str, sign: float, over: bool, ease: float,
          rng: np.random.Generator) -> None:  # fmt: skip
    jaw = skeleton.head("jaw")
    wrist = jaw + _v(sign * rng.uniform(0.03, 0.09), -0.13, rng.uniform(-0.2, -0.1))
    shoulder = skeleton.head(f"upperarm01.{side}")
    skeleton.reach(side, wrist, shoulder + _v(sign * 0.35, -0.2, -0.9))
    skeleton.point_hand(side, _v(-sign * 0.3, 0.15, 1), _v(-sign * 0.3, 1, 0))


def _pocket(skeleton: Skeleton, surface: Surface, side: str, sign: float, over: bool, ease: float,
            rng: np.random.Generator) -> None:  # fmt: skip
    z = skeleton.head("spine05")[2] - rng.uniform(0.0, 0.06)
    wrist = _v(sign * (surface.side(z) + 0.02 + ease), -0.08, z)
    shoulder = skeleton.head(f"upperarm01.{side}")
    skeleton.reach(side, wrist, shoulder + _v(sign * 0.5, 0.6, -0.3))
    skeleton.point_hand(side, _v(-sign * 0.2, -0.4, -1), _v(-sign, 0.2, 0))


def _forward(skeleton: Skeleton, surface: Surface, side: str, sign: float, over: bool, ease: float,
             rng: np.random.Generator) -> None:  # fmt: skip
    shoulder = skeleton.head(f"upperarm01.{side}")
    wrist = shoulder + _v(sign * rng.uniform(-0.1, 0.12), -0.42, rng.uniform(-0.3, -0.05))
    skeleton.reach(side, wrist, shoulder + _v(sign * 0.4, 0.0, -0.8))
    skeleton.point_hand(side, _v(0, -1, rng.uniform(0, 0.6)), _v(-sign * 0.4, 0, 1))


def _phone(skeleton: Skeleton, surface: Surface, side: str, sign: float, over: bool, ease: float,
           rng: np.random.Generator) -> None:  # fmt: skip
    head = skeleton.head("head")
    wrist = head + _v(sign * 0.13, -0.06, -0.02)
    shoulder = skeleton.head(f"upperarm01.{side}")
    skeleton.reach(side, wrist, shoulder + _v(sign * 0.6, -0.2, -0.6))
    skeleton.point_hand(side, _v(-sign * 0.2, 0.25, 1), _v(-sign, 0.1, 0))


_ARM: dict[str, Arm] = {
    "hang": _hang, "across": _across, "crossed": _crossed, "lapel": _lapel, "hip": _hip, "behind": _behind,
    "raised": _raised, "chin": _chin, "pocket": _pocket, "forward": _forward, "phone": _phone,
}  # fmt: skip


# MediaPipe's 33 points: what each is of, on the left side and mirrored on the right one.
def landmark_places(skeleton: Skeleton, skin: np.ndarray, eyes: dict[str, np.ndarray]) -> np.ndarray:
    """World places of the 33 landmarks: (33, 3). skin: the posed mesh; eyes: centres of both eyeballs."""
    points = np.zeros((33, 3))
    across = eyes["l"] - eyes["r"]
    unit = across / np.linalg.norm(across)
    front = skeleton.rotation("head") @ _v(0, -1, 0)
    for start, side, sign in ((1, "l", 1.0), (4, "r", -1.0)):
        for step, shift in enumerate((-0.012, 0.0, 0.012)):
            points[start + step] = eyes[side] + sign * shift * unit + 0.01 * front
    middle = 0.5 * (eyes["l"] + eyes["r"])
    up = skeleton.rotation("head") @ _v(0, 0, 1)
    near = np.abs((skin - middle) @ unit) < 0.012
    band = near & (np.abs((skin - middle) @ up + 0.035) < 0.02)
    candidates = skin[band] if band.any() else middle[None]
    points[0] = candidates[((candidates - middle) @ front).argmax()]
    for index, sign in ((7, 1.0), (8, -1.0)):
        points[index] = middle + sign * 1.15 * across - 0.075 * front - 0.01 * up
    mouth = skeleton.head("jaw") * 0.0 + middle + 0.012 * front - 0.072 * up
    points[9], points[10] = mouth + 0.024 * unit, mouth - 0.024 * unit
    for offset, side in ((0, "L"), (1, "R")):
        points[11 + offset] = skeleton.head(f"upperarm01.{side}")
        points[13 + offset] = skeleton.head(f"lowerarm01.{side}")
        points[15 + offset] = skeleton.head(f"wrist.{side}")
        points[17 + offset] = skeleton.head(f"finger5-1.{side}")
        points[19 + offset] = skeleton.head(f"finger2-1.{side}")
        points[21 + offset] = skeleton.head(f"finger1-2.{side}")
        points[23 + offset] = skeleton.head(f"upperleg01.{side}")
        points[25 + offset] = skeleton.head(f"lowerleg01.{side}")
        points[27 + offset] = skeleton.head(f"foot.{side}")
        points[29 + offset] = skeleton.head(f"foot.{side}") + _v(0, 0.05, -0.05)
        points[31 + offset] = skeleton.head(f"toe2-1.{side}")
    return points
