"""People as layers: those behind a jacket (trunk, arms, neck, long hair) and in front (head, hands)."""

import numpy as np

from training.lucy_tiny.anatomy import Body, along_limb, beyond_armhole, pixel_grid, window_around
from training.lucy_tiny.folds import sleeve_folds, torso_folds
from training.lucy_tiny.gbuffer import Layer, Material, Window
from training.lucy_tiny.heads import Head
from training.lucy_tiny.looks import Looks
from training.lucy_tiny.noise import smooth_noise

_SKIN_SHINE = Material(0.07, 12)


class Person:
    """A body's layers on a canvas of `size` (height, width) pixels."""

    def __init__(self, body: Body, looks: Looks, size: tuple[int, int], rng: np.random.Generator):
        self.body, self.looks, self.size, self.rng = body, looks, size, rng
        self.unit = body.unit
        self.head = Head(body, looks, size, rng)

    def behind(self) -> list[Layer]:
        """The layers that a jacket covers, back to front."""
        layers = self.head.behind() + self._neck() + self._trunk()
        layers += self._arm(self.body.right, self.body.depth[1], -1)
        layers += self._arm(self.body.left, self.body.depth[0], 1)
        return layers

    def before(self) -> list[Layer]:
        """The layers in front of a jacket, back to front."""
        layers = self.head.before()
        for joints, depth in ((self.body.right, self.body.depth[1]), (self.body.left, self.body.depth[0])):
            layers += self._hand(joints, depth)
        return layers

    def _torso_window(self, top: float, bottom: float, half: float) -> Window | None:
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
