"""People, as layers: what is behind a jacket (trunk, arms, neck, long hair) and before it (head, hands)."""

from dataclasses import dataclass

import cv2
import numpy as np

from export.lucy_tiny.anatomy import Body, along_limb, beyond_armhole, pixel_grid, window_around
from export.lucy_tiny.fabrics import COLOURS
from export.lucy_tiny.folds import sleeve_folds, torso_folds
from export.lucy_tiny.gbuffer import Layer, Material
from export.lucy_tiny.noise import smooth_noise

# sRGB skin and hair tones, light to dark.
_SKIN = (
    (246, 212, 190),
    (232, 190, 160),
    (214, 164, 128),
    (184, 130, 94),
    (140, 92, 62),
    (96, 62, 44),
    (66, 44, 34),
)
_HAIR = ((28, 24, 24), (44, 32, 26), (74, 50, 34), (112, 78, 48), (168, 128, 78), (206, 176, 120), (120, 52, 30),
         (150, 148, 146))  # fmt: skip
_SKIN_SHINE, _HAIR_SHINE = Material(0.07, 12), Material(0.10, 14)


@dataclass(frozen=True)
class Looks:
    """skin, hair, lips, shirt, trousers: linear RGB; hair_style: `short`, `long`, `bald`, `curly`, `bun`;
    girth: of trunk and arms, 1 is usual."""

    skin: np.ndarray
    hair: np.ndarray
    lips: np.ndarray
    shirt: np.ndarray
    trousers: np.ndarray
    hair_style: str
    beard: float
    glasses: bool
    long_sleeves: bool
    neckline: float
    girth: float


def sample_looks(rng: np.random.Generator) -> Looks:
    skin = _mix(_SKIN, rng) * rng.normal(1, 0.04, 3)
    style = str(rng.choice(["short", "long", "bald", "curly", "bun"], p=[0.38, 0.3, 0.06, 0.14, 0.12]))
    shirt = np.array(COLOURS[rng.choice(list(COLOURS))]) * rng.uniform(0.7, 1.1)
    return Looks(
        skin=_linear(skin),
        hair=_linear(_mix(_HAIR, rng)),
        lips=_linear(skin * 0.8 + np.array([30, -8, -4])),
        shirt=_linear(shirt),
        trousers=_linear(
            np.array(COLOURS[rng.choice(["black", "navy", "blue", "grey", "camel", "olive"])]) * 0.9
        ),
        hair_style=style,
        beard=float(rng.uniform(0.3, 0.9)) if style in ("short", "bald") and rng.random() < 0.45 else 0.0,
        glasses=bool(rng.random() < 0.2),
        long_sleeves=bool(rng.random() < 0.5),
        neckline=rng.uniform(-0.22, 0.05),
        girth=rng.uniform(0.86, 1.12),
    )


def _linear(colour: np.ndarray) -> np.ndarray:
    return ((np.clip(colour, 4, 250) / 255) ** 2.2).astype(np.float32)


def _mix(colours: tuple[tuple[int, ...], ...], rng: np.random.Generator) -> np.ndarray:
    """Between two neighbours of a row of colours."""
    first = int(rng.integers(len(colours) - 1))
    share = rng.random()
    return (1 - share) * np.array(colours[first], float) + share * np.array(colours[first + 1], float)


class Person:
    """A body's layers on a canvas of `size` (height, width) pixels."""

    def __init__(self, body: Body, looks: Looks, size: tuple[int, int], rng: np.random.Generator):
        self.body, self.looks, self.size, self.rng = body, looks, size, rng
        self.unit = body.unit

    def behind(self) -> list[Layer]:
        """Back to front: what a jacket covers."""
        layers = self._hair_behind() + self._neck() + self._trunk()
        layers += self._arm(self.body.right, self.body.depth[1], -1)
        layers += self._arm(self.body.left, self.body.depth[0], 1)
        return layers

    def before(self) -> list[Layer]:
        """Back to front: what stays before a jacket."""
        layers = self._head()
        for joints, depth in ((self.body.right, self.body.depth[1]), (self.body.left, self.body.depth[0])):
            layers += self._hand(joints, depth)
        return layers

    def _torso_window(self, top: float, bottom: float, half: float) -> tuple[slice, slice] | None:
        corners = np.stack([self.body.at(s, t) for s in (-half, half) for t in (top, bottom)])
        return window_around(corners, 2, self.size)

    def _neck(self) -> list[Layer]:
        window = self._torso_window(-0.6, 0.25, 0.4)
        if window is None:
            return []
        s, t = self.body.torso_coordinates(*pixel_grid(window))
        centre = (self.body.head - self.body.middle) @ (self.body.left[0] - self.body.right[0]) / self.unit**2
        x = s - centre * np.clip(-t / 0.5, 0, 1)
        half = np.interp(t, [-0.5, -0.26, -0.12, 0.2], [0.135, 0.145, 0.22, 0.45]) * self.looks.girth
        edge = half - np.abs(x)
        height = self.unit * (0.12 + 0.18 * np.sqrt(np.clip(1 - (x / half) ** 2, 0.05, 1)))
        height += (
            self.unit * 0.016 * np.exp(-(((np.abs(x) - 0.03 - 0.25 * np.clip(-0.05 - t, 0, 1)) / 0.025) ** 2))
        )
        return [
            Layer(window, np.clip(edge * self.unit + 0.5, 0, 1), self.looks.skin, height, 0.0, _SKIN_SHINE)
        ]

    def _trunk(self) -> list[Layer]:
        window = self._torso_window(-0.4, 2.6, 0.7)
        if window is None:
            return []
        looks, unit = self.looks, self.unit
        s, t = self.body.torso_coordinates(*pixel_grid(window))
        half, shoulder = self._trunk_outline(s, t)
        neck = np.hypot(s / 0.19, np.clip(t + 0.3, 0, None) / (looks.neckline + 0.3)) - 1
        edge = np.minimum(np.minimum(half - np.abs(s), t - shoulder), 0.15 * neck)
        height = unit * 0.36 * np.sqrt(np.clip(1 - (s / (half + 0.03)) ** 2, 0.03, 1))
        height *= 0.72 + 0.28 * np.sqrt(np.clip((t - shoulder) / 0.22, 0, 1))
        noise = smooth_noise(s.shape, 0.3 * unit, self.rng)
        folds = 0.8 * unit * torso_folds(s, t, 0.8, False, noise, self.rng, 1.4)
        belt = np.clip((t - 1.3) * unit, 0, 1)[..., None]
        albedo = looks.shirt * (1 - belt) + looks.trousers * belt
        collar = 1 - 0.25 * np.clip(1.3 - np.abs(0.15 * neck - 0.02) * unit / max(1, unit / 90), 0, 1)
        return [Layer(window, np.clip(edge * unit + 0.5, 0, 1), albedo * collar[..., None], height, folds)]

    def _trunk_outline(self, s: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Half its width at t, and t of its upper edge at s."""
        girth = self.looks.girth
        half = np.interp(t, [-0.4, 0, 0.4, 0.9, 1.35, 2.6], [0.43, 0.47, 0.46, 0.39, 0.42, 0.44]) * girth
        top = [-0.25, -0.24, 0.065 - 0.15 * girth, 0.08]
        return half, np.interp(np.abs(s), [0, 0.15, 0.44, 0.6], top)

    def _inside_trunk(self, s: np.ndarray, t: np.ndarray) -> np.ndarray:
        half, shoulder = self._trunk_outline(s, t)
        return np.minimum(half - np.abs(s), t - shoulder)

    def _arm(self, joints: np.ndarray, depth: np.ndarray, side: int) -> list[Layer]:
        window = window_around(joints, 0.25 * self.unit, self.size)
        if window is None:
            return []
        looks, unit = self.looks, self.unit
        joints = joints.copy()
        joints[0] += unit * (0.12 * (self.body.middle - joints[0]) / unit + 0.07 * self.body.down)
        radii = np.array([0.15, 0.115, 0.075]) * unit * looks.girth
        a, q, r = along_limb(joints, radii, *pixel_grid(window))
        s, t = self.body.torso_coordinates(*pixel_grid(window))
        edge = (1 - np.abs(q)) * r
        edge = np.where(
            a < 1, np.minimum(edge, beyond_armhole(side * s, t, self._inside_trunk(s, t)) * unit), edge
        )
        over = np.interp(a, [0, 1, 2], 0.04 + np.asarray(depth, float) * 0.6)
        height = unit * over + r * np.sqrt(np.clip(1 - q**2, 0.02, 1))
        noise = smooth_noise(a.shape, 0.22 * unit, self.rng)
        sleeve = np.clip(((2.0 if looks.long_sleeves else 0.6) - a) * 0.7 * unit + 0.5, 0, 1)
        folds = 0.8 * unit * sleeve * sleeve_folds(a, q, 0.5, noise, self.rng, 1.4)
        albedo = looks.skin + sleeve[..., None] * (looks.shirt - looks.skin)
        return [Layer(window, np.clip(edge + 0.5, 0, 1), albedo, height, folds, _SKIN_SHINE)]

    def _hand(self, joints: np.ndarray, depth: np.ndarray) -> list[Layer]:
        forearm = joints[2] - joints[1]
        forearm = forearm / max(float(np.linalg.norm(forearm)), 1e-3)
        unit = self.unit
        tip = joints[2] + 0.40 * unit * forearm
        window = window_around(np.stack([joints[2], tip]), 0.2 * unit, self.size)
        if window is None:
            return []
        x, y = pixel_grid(window)
        along = ((x - joints[2][0]) * forearm[0] + (y - joints[2][1]) * forearm[1]) / unit
        across = ((y - joints[2][1]) * forearm[0] - (x - joints[2][0]) * forearm[1]) / unit
        half = np.interp(along, [-0.06, 0.0, 0.1, 0.22, 0.34, 0.4], [0.062, 0.062, 0.105, 0.10, 0.07, 0.02])
        fingers = 0.012 * np.cos(2 * np.pi * across / 0.048) * np.clip((along - 0.16) / 0.05, 0, 1)
        edge = np.minimum(half - np.abs(across), np.minimum(along + 0.06, 0.36 + 2 * fingers - along))
        height = unit * (
            0.1 + float(depth[2]) * 0.6 + 0.08 * np.sqrt(np.clip(1 - (across / (half + 0.01)) ** 2, 0.05, 1))
        )
        height = height + unit * fingers
        return [Layer(window, np.clip(edge * unit + 0.5, 0, 1), self.looks.skin, height, 0.0, _SKIN_SHINE)]

    def _face_coordinates(self, window: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
        """(u, v) in face heights: u to the person's left, v down; 0 is the middle of the face."""
        x, y = pixel_grid(window)
        cos, sin = np.cos(self.body.tilt), np.sin(self.body.tilt)
        dx, dy = (x - self.body.head[0]) / self.body.face, (y - self.body.head[1]) / self.body.face
        return (cos * dx + sin * dy).astype(np.float32), (cos * dy - sin * dx).astype(np.float32)

    def _head_window(self, reach: float, below: float) -> tuple[slice, slice] | None:
        points = np.stack(
            [self.body.head + self.body.face * np.array([0, -0.2]), self.body.head + (0, below)]
        )
        return window_around(points, reach * self.body.face, self.size)

    def _hair_behind(self) -> list[Layer]:
        looks, face = self.looks, self.body.face
        if looks.hair_style not in ("long", "curly", "bun"):
            return []
        window = self._head_window(0.75, 0.8 * face)
        if window is None:
            return []
        u, v = self._face_coordinates(window)
        strands = smooth_noise(u.shape, 0.12 * face, self.rng)
        if looks.hair_style == "long":
            half = np.interp(v, [-0.66, -0.3, 0.1, 0.9, 1.05], [-0.1, 0.42, 0.47, 0.50, 0.3])
            edge = half + 0.02 * strands - np.abs(u)
        elif looks.hair_style == "curly":
            edge = 0.56 + 0.04 * strands - np.hypot(u, v + 0.16)
        else:
            edge = 0.2 + 0.01 * strands - np.hypot(u, v + 0.62)
        height = 0.1 * self.unit + 0.15 * face * np.sqrt(np.clip(edge / 0.3, 0, 1))
        return [self._hair(window, np.clip(edge * face + 0.5, 0, 1), u, v, height)]

    def _hair(
        self, window: tuple[slice, slice], alpha: np.ndarray, u: np.ndarray, v: np.ndarray, height: np.ndarray
    ) -> Layer:
        face = self.body.face
        strands = cv2.blur(smooth_noise(u.shape, 3, self.rng), (1, max(1, round(0.25 * face))))
        waves = smooth_noise(u.shape, 0.15 * face, self.rng)
        albedo = self.looks.hair * np.clip(1 + 0.9 * strands + 0.25 * waves, 0.3, 2)[..., None]
        return Layer(window, alpha, albedo, height, 0.03 * face * (strands + 0.6 * waves), _HAIR_SHINE)

    def _head(self) -> list[Layer]:
        looks, face = self.looks, self.body.face
        window = self._head_window(0.62, 0.2 * face)
        if window is None:
            return []
        u, v = self._face_coordinates(window)
        turn = 0.22 * self.body.yaw
        # An egg: wide at the cheekbones, narrow at the chin.
        half = 0.36 - 0.085 * np.clip((v - 0.08) / 0.42, 0, 1) ** 1.6
        edge = (1 - np.hypot(u / half, (v + 0.02) / 0.5)) * half
        ear = 0.075 - np.hypot((np.abs(u + 0.3 * turn) - 0.36) * 1.6, v - 0.02)
        alpha = np.clip(np.maximum(edge, ear) * face + 0.5, 0, 1)
        dome = np.sqrt(np.clip(1 - (u / half) ** 2 - ((v + 0.02) / 0.5) ** 2, 0.02, 1))
        x = u - turn * dome  # features turn with the head
        relief = 0.10 * np.exp(-((x / 0.055) ** 2) - ((v - 0.1) / 0.11) ** 2)  # nose
        relief += 0.05 * np.exp(-((x / 0.075) ** 2) - ((v - 0.16) / 0.045) ** 2)
        relief -= 0.035 * np.exp(-(((np.abs(x) - 0.145) / 0.075) ** 2) - ((v + 0.02) / 0.045) ** 2)  # sockets
        relief += 0.02 * np.exp(-(((np.abs(x) - 0.19) / 0.08) ** 2) - ((v - 0.12) / 0.07) ** 2)  # cheeks
        relief += 0.02 * np.exp(-((x / 0.09) ** 2) - ((v - 0.285) / 0.03) ** 2)  # lips
        height = self.unit * 0.3 + face * (0.36 * dome + relief)
        layers = [Layer(window, alpha, self._face_colour(x, v), height, 0.0, _SKIN_SHINE)]
        if looks.hair_style != "bald":
            layers.append(self._fringe(window, u, v, dome))
        return layers

    def _face_colour(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        looks, face = self.looks, self.body.face
        colour = np.broadcast_to(looks.skin, (*np.broadcast(x, v).shape, 3)).copy()

        def tint(share: np.ndarray, target: np.ndarray) -> None:
            nonlocal colour
            colour += np.clip(share, 0, 1)[..., None] * (target - colour)

        blush = 0.35 * np.exp(-(((np.abs(x) - 0.19) / 0.09) ** 2) - ((v - 0.13) / 0.08) ** 2)
        tint(blush, looks.skin * np.array([1.05, 0.75, 0.72], np.float32))
        stubble = looks.beard * np.clip(
            (v - 0.13 - 0.5 * np.clip(0.2 - np.abs(x), 0, 1) * (v < 0.22)) * 8, 0, 1
        )
        tint(stubble * 0.85, looks.hair * 1.1)
        brow = np.exp(-(((v + 0.105 - 0.12 * np.abs(np.abs(x) - 0.14)) / 0.016) ** 2)) * (
            np.abs(np.abs(x) - 0.145) < 0.085
        )
        tint(0.8 * brow, looks.hair * 0.9)
        side = np.abs(x) - 0.145
        white = np.clip((1 - np.hypot(side / 0.066, (v + 0.018) / 0.027)) * 0.03 * face + 0.4, 0, 1)
        tint(0.75 * white, 0.3 + 0.5 * looks.skin)
        iris = np.clip((0.027 - np.hypot(side, v + 0.018)) * face + 0.5, 0, 1) * (white > 0.2)
        tint(iris, np.float32([0.03, 0.02, 0.015]))
        lid = np.exp(-(((v + 0.048 - 2.5 * side**2) / 0.009) ** 2)) * (np.abs(side) < 0.068)
        tint(0.75 * lid, looks.skin * 0.25)
        mouth = np.clip((1 - np.hypot(x / 0.115, (v - 0.288) / 0.036)) * 4, 0, 1)
        tint(0.8 * mouth, looks.lips)
        tint(0.7 * np.exp(-(((v - 0.287 + 0.5 * x**2) / 0.007) ** 2)) * (np.abs(x) < 0.105), looks.lips * 0.2)
        nostril = np.exp(-(((np.abs(x) - 0.03) / 0.016) ** 2) - ((v - 0.195) / 0.012) ** 2)
        tint(0.6 * nostril, looks.skin * 0.2)
        if looks.glasses:
            ring = np.abs(np.hypot(side / 1.15, v + 0.012) - 0.085) * face
            bridge = np.abs(v + 0.03) * face + 99 * (np.abs(x) > 0.06)
            tint(
                np.clip(1.6 - np.minimum(ring, bridge) / max(0.6, face / 110), 0, 1), np.float32([0.015] * 3)
            )
        return colour

    def _fringe(self, window: tuple[slice, slice], u: np.ndarray, v: np.ndarray, dome: np.ndarray) -> Layer:
        looks, face = self.looks, self.body.face
        rough = {"curly": 0.05, "short": 0.018}.get(looks.hair_style, 0.012)
        outer = 0.42 if looks.hair_style != "curly" else 0.5
        noise = smooth_noise(u.shape, 0.09 * face, self.rng)
        shell = (1 - np.hypot(u / outer, (v + 0.08) / (0.53 + 0.1 * (outer - 0.42)))) * outer + rough * noise
        side = 0.3 if looks.hair_style in ("long", "bun") else 0.02
        part = self.rng.uniform(-0.2, 0.2)
        hairline = -0.30 + 0.5 * np.clip(np.abs(u - 0.3 * part) - 0.12, 0, None) ** 1.2 / 0.2**1.2 * 0.35
        hairline = np.where(np.abs(u) > 0.31, np.maximum(hairline, side), hairline) + rough * noise
        edge = np.minimum(shell, hairline - v)
        height = self.unit * 0.3 + face * (0.38 * np.sqrt(np.clip(shell / 0.42, 0, 1)) + 0.02)
        return self._hair(window, np.clip(edge * face * 0.7 + 0.5, 0, 1), u, v, np.asarray(height))
