"""Makes the layers of a jacket from a cut, a cloth and a body."""

import cv2
import numpy as np

from training.lucy_tiny.anatomy import Body, along_limb, beyond_armhole, pixel_grid, window_around
from training.lucy_tiny.cuts import Cut
from training.lucy_tiny.fabrics import Fabric
from training.lucy_tiny.folds import sleeve_folds, torso_folds
from training.lucy_tiny.gbuffer import Layer, Material, Window
from training.lucy_tiny.noise import smooth_noise
from training.lucy_tiny.photography import to_linear


def cut_jacket(body: Body, cut: Cut, fabric: Fabric, size: tuple[int, int], seed: int) -> list[Layer]:
    """The jacket's layers, back to front, on a canvas of `size` (height, width) pixels."""
    rng = np.random.default_rng(seed)
    tailor = _Tailor(body, cut, fabric, size, rng)
    layers = [*tailor.hood(), *tailor.trunk()]
    arms = [tailor.sleeve(body.right, body.depth[1], -1), tailor.sleeve(body.left, body.depth[0], 1)]
    nearest_last = sorted(zip(body.depth[::-1].sum(axis=1), range(2), arms, strict=True))
    for _, _, sleeve in nearest_last:
        layers += sleeve
    return layers + tailor.collar()


class _Tailor:
    """Makes a jacket's parts; holds the values that they share."""

    def __init__(self, body: Body, cut: Cut, fabric: Fabric, size: tuple[int, int], rng: np.random.Generator):
        self.body, self.cut, self.size, self.rng = body, cut, size, rng
        self.fabric = fabric
        self.texture = to_linear(fabric.texture)
        self.unit = body.unit
        self.front = float(
            np.clip(0.3 * body.yaw, -0.08, 0.08)
        )  # position of the front's middle on a turned trunk
        self.dark = 0.55 if fabric.texture.mean() > 70 else 1.7  # seams are darker, on black lighter

    def cloth(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """The fabric's linear colour at cloth coordinates in shoulder widths."""
        side = self.texture.shape[0] / self.fabric.repeat
        texture = self.texture
        while side > 1.6 * self.unit and texture.shape[0] > 32:  # minify without moiré
            texture, side = _halve(texture), side / 2
        u, v = np.broadcast_arrays(u * np.float32(side), v * np.float32(side))
        height, width = texture.shape[:2]
        return cv2.remap(
            texture,
            np.mod(u, width).astype(np.float32),
            np.mod(v, height).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )

    def trunk(self) -> list[Layer]:
        cut, unit = self.cut, self.unit
        corners = np.stack([self.body.at(s, t) for s in (-0.75, 0.75) for t in (-0.4, cut.hem + 0.1)])
        window = window_around(corners, 2, self.size)
        if window is None:
            return []
        s, t = self.body.torso_coordinates(*pixel_grid(window))
        half = self.half_width(t)
        shoulder = self.shoulder_line(np.abs(s))
        hem = cut.hem + 0.03 * np.cos(3 * s)
        x = s - self.front * (1 - (s / 0.55) ** 2)  # cloth coordinates on a turned trunk
        edge = np.minimum(np.minimum(half - np.abs(s), t - shoulder), hem - t)
        edge = np.minimum(edge, np.abs(x) - self.opening_width(t) + (0.01 if cut.gap == 0 else 0))
        neck = 0.16 - np.hypot(s * 0.95, (t + 0.33) * 0.75)
        edge = np.minimum(edge, -neck)
        alpha = np.clip(edge * unit + 0.5, 0, 1)

        round_trunk = np.sqrt(np.clip(1 - (s / (half + 0.03)) ** 2, 0.03, 1))
        shoulders_fall = np.clip((t - shoulder) / 0.22, 0, 1)
        height = unit * (
            0.40 * round_trunk * (0.72 + 0.28 * np.sqrt(shoulders_fall)) + 0.05 * _bump(t, 0.4, 0.3)
        )
        noise = smooth_noise(s.shape, 0.3 * unit, self.rng)
        cloth = self.fabric.cloth
        waist = max(cut.opening, 0.75)
        folds = torso_folds(x, t, waist, cut.closure == "buttons", noise, self.rng, cloth.fold_sharpness)
        folds = unit * cloth.fold_height * (folds + 0.008 * noise) * np.clip(edge / 0.05, 0, 1)
        albedo = self.cloth(x + np.sign(x) * 0.07, t) * self.trunk_details(x, s, t, half, hem)[..., None]
        if cut.gap == 0:  # the front's overlap is a small step
            height = height + 0.012 * unit * np.clip((x + 0.04) * unit, 0, 1)
        return [Layer(window, alpha, albedo, height, folds, cloth.material), *self.fastening(window, x, t)]

    def half_width(self, t: np.ndarray) -> np.ndarray:
        cut = self.cut
        stations = [-0.4, -0.1, 0.1, 0.35, 0.85, 1.35, 2.2]
        widths = [0.43, 0.46, 0.49, cut.chest, cut.waist, cut.hip, cut.hip + 0.04]
        return np.interp(t, stations, widths).astype(np.float32) + np.float32(cut.ease)

    def shoulder_line(self, s: np.ndarray) -> np.ndarray:
        """t of the trunk's upper edge."""
        rise = -0.13 - self.cut.padding - 0.7 * self.cut.ease
        return np.interp(s, [0, 0.16, 0.45, 0.62], [-0.27, -0.26, rise, 0.05]).astype(np.float32)

    def opening_width(self, t: np.ndarray) -> np.ndarray:
        cut = self.cut
        stations = [-0.3, max(cut.opening, -0.29), max(cut.opening, -0.29) + 0.01, cut.hem]
        return np.interp(t, stations, [0.17, 0.0 + cut.gap / 3, cut.gap / 3, cut.gap]).astype(np.float32)

    def trunk_details(
        self, x: np.ndarray, s: np.ndarray, t: np.ndarray, half: np.ndarray, hem: np.ndarray
    ) -> np.ndarray:
        """The factor (h, w) by which seams and pockets change the colour."""
        cut, unit = self.cut, self.unit
        lines = [np.abs(np.abs(s) - 0.455 - 0.09 * np.clip(0.1 - t, 0, 0.4)) + np.clip(t - 0.28, 0, None)]
        if cut.gap == 0:
            lines.append(np.abs(x + 0.04) + np.clip(cut.opening - t, 0, None))
        else:
            lines.append(np.abs(np.abs(x) - self.opening_width(t) - 0.03) + np.clip(cut.opening - t, 0, None))
        lines.append(np.abs(hem - 0.05 - t) if not cut.band else np.abs(hem - 0.13 - t))
        if cut.pockets:
            slant = 0.25 if cut.collar in ("hood", "none", "stand") else -0.1
            across = np.abs(x) - 0.27
            lines.append(np.abs(t - 0.95 - slant * across) + np.clip(np.abs(across) - 0.1, 0, None))
        factor = np.ones(np.broadcast(x, t).shape, np.float32)
        for line in lines:
            factor *= 1 + (self.dark - 1) * 0.75 * np.clip(
                1.2 - np.abs(line) * unit / max(1, unit / 90), 0, 1
            )
        if cut.band:
            ribs = 1 + 0.12 * np.sin(2 * np.pi * 45 * x)
            factor *= np.where(t > hem - 0.13, ribs, 1)
        return factor

    def fastening(self, window: Window, x: np.ndarray, t: np.ndarray) -> list[Layer]:
        """Buttons or a zip."""
        cut, unit = self.cut, self.unit
        shape = np.broadcast(x, t).shape
        if cut.closure == "buttons":
            start = max(cut.opening, -0.05) + 0.06
            spacing = self.rng.uniform(0.18, 0.32)
            step = np.clip(np.rint((t - start) / spacing), 0, np.floor((cut.hem - 0.2 - start) / spacing))
            if cut.gap:
                x = x + cut.gap * 0.8
            distance = np.hypot(x - 0.0, t - start - step * spacing)
            radius = self.rng.uniform(0.02, 0.032)
            alpha = np.clip((radius - distance) * unit + 0.5, 0, 1)
            shade = self.rng.choice([0.02, 0.1, 0.5]) * self.rng.uniform(0.7, 1.2, 3)
            height = unit * (0.43 + 0.5 * radius * np.sqrt(np.clip(1 - (distance / radius) ** 2, 0, 1)))
            material = Material(0.35, 30)
        elif cut.closure == "zip":
            centre = np.abs(np.abs(x) - self.opening_width(t)) if cut.gap else np.abs(x)
            along = np.minimum(t - cut.opening, cut.hem - 0.02 - t)
            alpha = np.clip((0.016 - centre) * unit + 0.5, 0, 1) * np.clip(along * unit, 0, 1)
            teeth = 0.6 + 0.4 * np.sign(np.sin(2 * np.pi * 40 * t))
            shade = (self.rng.choice([0.05, 0.3, 0.5]) * teeth)[..., None] * np.ones(3)
            height = np.full(shape, 0.42 * unit)
            material = Material(0.5, 30)
        else:
            return []
        albedo = np.broadcast_to(np.asarray(shade, np.float32), (*shape, 3))
        return [
            Layer(
                window, np.broadcast_to(alpha, shape), albedo, np.broadcast_to(height, shape), 0.0, material
            )
        ]

    def sleeve(self, joints: np.ndarray, depth: np.ndarray, side: int) -> list[Layer]:
        cut, unit = self.cut, self.unit
        inward = (self.body.middle - joints[0]) / unit
        joints = joints.copy()
        joints[0] = joints[0] + unit * (0.10 * inward + 0.06 * self.body.down)
        widths = np.array([0.185 + cut.padding, 0.145, 0.11]) + cut.ease * np.array([0.7, 1.0, 0.8])
        window = window_around(joints, 0.3 * unit, self.size)
        if window is None:
            return []
        a, q, r = along_limb(joints, widths * unit, *pixel_grid(window))
        upper, lower = joints[1] - joints[0], joints[2] - joints[1]
        bend = np.arctan2(upper[0] * lower[1] - upper[1] * lower[0], upper @ lower)
        length = float(np.linalg.norm(upper) + np.linalg.norm(lower)) / unit / 2

        edge = np.minimum((1 - np.abs(q)) * r, (cut.sleeve_end - a) * max(length, 0.2) * unit)
        s, t = self.body.torso_coordinates(*pixel_grid(window))
        trunk = np.minimum(self.half_width(t) - np.abs(s), t - self.shoulder_line(np.abs(s)))
        edge = np.where(a < 1, np.minimum(edge, beyond_armhole(side * s, t, trunk) * unit), edge)
        alpha = np.clip(edge + 0.5, 0, 1)
        over = np.interp(a, [0, 1, 2], 0.1 + np.asarray(depth, float) * 0.6).astype(np.float32)
        height = unit * over + r * np.sqrt(np.clip(1 - q**2, 0.02, 1))
        noise = smooth_noise(a.shape, 0.22 * unit, self.rng)
        cloth = self.fabric.cloth
        folds = sleeve_folds(a, q, bend, noise, self.rng, cloth.fold_sharpness)
        folds = unit * cloth.fold_height * (folds + 0.006 * noise) * np.clip((1.02 - np.abs(q)) * 5, 0, 1)
        cap = np.clip(-a, 0, 1) * float(np.linalg.norm(upper)) / r
        around = np.copysign(np.sqrt(np.clip(q**2 - cap**2, 0, 1)), q)
        around = np.arcsin(around) * r / unit
        albedo = self.cloth(around + 0.3 * side, a * length)
        pixels = max(1, unit / 90)
        cuff = np.abs(a - cut.sleeve_end + 0.10 + 0.06 * cut.band) * length * unit
        factor = 1 + (self.dark - 1) * 0.75 * np.clip(1.2 - cuff / pixels, 0, 1)
        outline = (1 - np.abs(q)) * r  # cloth that curves away at the outline is a little darker
        factor *= 0.86 + 0.14 * np.clip(outline / (0.02 * unit), 0, 1)
        return [Layer(window, alpha, albedo * factor[..., None], height, folds, cloth.material)]

    def collar(self) -> list[Layer]:
        cut, unit = self.cut, self.unit
        if cut.collar in ("none", "hood"):
            return []
        low = max(cut.opening, 0.1) + 0.1
        corners = np.stack([self.body.at(s, t) for s in (-0.5, 0.5) for t in (-0.5, low)])
        window = window_around(corners, 2, self.size)
        if window is None:
            return []
        s, t = self.body.torso_coordinates(*pixel_grid(window))
        x = s - self.front * (1 - (s / 0.55) ** 2)
        away = np.abs(x) - self.opening_width(t)
        roll = self.shoulder_line(np.abs(s)) - 0.045  # a collar stands a little above the shoulders
        if cut.collar == "lapels":
            notch = cut.opening * 0.3 - 0.05
            width = np.interp(t, [-0.32, notch - 0.02, notch, notch + 0.03, cut.opening],
                              [0.07, 0.13, 0.07, 0.19, 0.0])  # fmt: skip
            edge = np.minimum(np.minimum(away, width - away), np.minimum(t - roll, cut.opening - t))
        elif cut.collar == "shirt":
            point = 0.1 + 0.02 * self.cut.ease
            width = np.interp(t, [-0.34, -0.05, point, point + 0.01], [0.09, 0.15, 0.18, 0.0])
            edge = np.minimum(
                np.minimum(away + 0.01, width - away), np.minimum(t - roll, point - t + 0.4 * away)
            )
        else:  # stand: a band around the neck
            top = -0.36 + 0.10 * np.clip(1 - (s / 0.2) ** 2, 0, 1)
            edge = np.minimum(np.minimum(0.205 - np.abs(s), t - top), top + 0.16 - t)
            edge = np.minimum(edge, np.abs(x) + 0.002)
        alpha = np.clip(edge * unit + 0.5, 0, 1)
        rounded = np.sqrt(np.clip(edge / 0.06, 0, 1))
        height = unit * (0.36 + 0.05 * rounded - 0.1 * np.abs(s))
        folds = 0.004 * unit * smooth_noise(s.shape, 0.3 * unit, self.rng)
        albedo = self.cloth(0.7 * (x + np.sign(x) * t), 0.7 * (t - np.abs(x)))
        outline = np.clip(edge * unit / max(1, unit / 90), 0, 1)
        albedo = albedo * (1 + (self.dark - 1) * 0.5 * (1 - outline))[..., None]
        return [Layer(window, alpha, albedo, height, folds, self.fabric.cloth.material)]

    def hood(self) -> list[Layer]:
        """Lies on the shoulders behind the neck."""
        if self.cut.collar != "hood":
            return []
        unit = self.unit
        corners = np.stack([self.body.at(s, t) for s in (-0.5, 0.5) for t in (-0.7, 0.2)])
        window = window_around(corners, 2, self.size)
        if window is None:
            return []
        s, t = self.body.torso_coordinates(*pixel_grid(window))
        outside = 0.33 - np.hypot(s, (t + 0.2) * 1.25)
        hollow = 0.15 - np.hypot(s, (t + 0.36) * 0.9)
        edge = np.minimum(outside, -hollow)
        alpha = np.clip(edge * unit + 0.5, 0, 1)
        height = unit * (0.14 + 0.1 * np.sqrt(np.clip(edge / 0.16, 0, 1)))
        folds = 0.03 * unit * smooth_noise(s.shape, 0.3 * unit, self.rng)
        return [Layer(window, alpha, self.cloth(s, t), height, folds, self.fabric.cloth.material)]


def _halve(texture: np.ndarray) -> np.ndarray:
    height, width = texture.shape[:2]
    return cv2.resize(texture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)


def _bump(t: np.ndarray, centre: float, width: float) -> np.ndarray:
    return np.exp(-(((t - centre) / width) ** 2))
