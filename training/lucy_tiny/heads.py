"""Heads as layers: hair behind the face, the face, hair in front of it."""

import cv2
import numpy as np

from training.lucy_tiny.anatomy import Body, pixel_grid, window_around
from training.lucy_tiny.gbuffer import Layer, Material, Window
from training.lucy_tiny.looks import Looks
from training.lucy_tiny.noise import smooth_noise

_SKIN_SHINE, _HAIR_SHINE = Material(0.07, 12), Material(0.10, 14)


class Head:
    """A head's layers on a canvas of `size` (height, width) pixels."""

    def __init__(self, body: Body, looks: Looks, size: tuple[int, int], rng: np.random.Generator):
        self.body, self.looks, self.size, self.rng = body, looks, size, rng
        self.unit = body.unit

    def _face_coordinates(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """(u, v) in face heights: u to the person's left, v down; 0 is the middle of the face."""
        x, y = pixel_grid(window)
        cos, sin = np.cos(self.body.tilt), np.sin(self.body.tilt)
        dx, dy = (x - self.body.head[0]) / self.body.face, (y - self.body.head[1]) / self.body.face
        return (cos * dx + sin * dy).astype(np.float32), (cos * dy - sin * dx).astype(np.float32)

    def _window(self, reach: float, below: float) -> Window | None:
        points = np.stack(
            [self.body.head + self.body.face * np.array([0, -0.2]), self.body.head + np.array([0, below])]
        )
        return window_around(points, reach * self.body.face, self.size)

    def behind(self) -> list[Layer]:
        looks, face = self.looks, self.body.face
        if looks.hair_style not in ("long", "curly", "bun"):
            return []
        window = self._window(0.75, 0.8 * face)
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
        self, window: Window, alpha: np.ndarray, u: np.ndarray, v: np.ndarray, height: np.ndarray
    ) -> Layer:
        face = self.body.face
        strands = cv2.blur(smooth_noise(u.shape, 3, self.rng), (1, max(1, round(0.25 * face))))
        waves = smooth_noise(u.shape, 0.15 * face, self.rng)
        albedo = self.looks.hair * np.clip(1 + 0.9 * strands + 0.25 * waves, 0.3, 2)[..., None]
        return Layer(window, alpha, albedo, height, 0.03 * face * (strands + 0.6 * waves), _HAIR_SHINE)

    def before(self) -> list[Layer]:
        looks, face = self.looks, self.body.face
        window = self._window(0.62, 0.2 * face)
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
        tint(iris, np.array([0.03, 0.02, 0.015], np.float32))
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
                np.clip(1.6 - np.minimum(ring, bridge) / max(0.6, face / 110), 0, 1),
                np.full(3, 0.015, np.float32),
            )
        return colour

    def _fringe(self, window: Window, u: np.ndarray, v: np.ndarray, dome: np.ndarray) -> Layer:
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
