"""Decibels of the light reader on samples, beside those of the composite and of the best gain."""

from dataclasses import dataclass

import numpy as np
import torch

from pipeline.light.light_reader import LightReader, to_code, to_linear
from training.scene_light.augmentation import Batch, plain
from training.scene_light.learning import losses, relit, squared_error, truth


@dataclass(frozen=True)
class Figures:
    """Each (N,): decibels of composite, best linear gain and answer; the shading's correlation; errors of
    log E, and those that the network expects."""

    composite: np.ndarray
    gain: np.ndarray
    answer: np.ndarray
    correlation: np.ndarray
    level: np.ndarray
    shading: np.ndarray
    spread: np.ndarray

    def summary(self) -> dict[str, float]:
        better = self.answer - self.composite
        return {
            "composite": round(float(self.composite.mean()), 2),
            "gain": round(float(self.gain.mean()), 2),
            "answer": round(float(self.answer.mean()), 2),
            "worst": round(float(better.min()), 2),
            "worse": round(float((better < -0.3).mean()), 3),
            "correlation": round(float(self.correlation.mean()), 3),
            "level": round(float(self.level.mean()), 3),
        }


@torch.no_grad()
def validate(network: LightReader, samples: np.ndarray, rows: int = 64) -> Figures:
    network.eval()
    device = next(network.parameters()).device
    parts = []
    for start in range(0, len(samples), rows):
        batch = plain(torch.from_numpy(samples[start : start + rows]).to(device))
        log_light, spread, _ = network.regress(batch.scene)
        found = losses(log_light, spread, batch)
        pictures = (batch.scene[:, 3:6], _best_gain(batch), relit(batch.scene, log_light))
        parts.append(
            [
                *(_decibels(squared_error(picture, batch)) for picture in pictures),
                _correlation(log_light, batch),
                *(_numbers(it) for it in (found.level, found.shading, spread)),
            ]
        )
    return Figures(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _decibels(error: torch.Tensor) -> np.ndarray:
    return _numbers(-10 * torch.log10(error.clamp(min=1e-7)))


def _best_gain(batch: Batch) -> torch.Tensor:
    weight = batch.visible
    render, wanted = (to_linear(it) * weight for it in (batch.scene[:, 3:6], batch.target))
    gain = wanted.sum(dim=(2, 3), keepdim=True) / (render.sum(dim=(2, 3), keepdim=True) + 1e-4)
    return to_code((to_linear(batch.scene[:, 3:6]) * gain).clamp(0, 1))


def _correlation(log_light: torch.Tensor, batch: Batch) -> np.ndarray:
    light, weight = truth(batch)
    one, other = (it.mean(dim=1, keepdim=True) for it in (log_light, light))
    area = weight.sum(dim=(2, 3), keepdim=True)
    one, other = (it - (it * weight).sum(dim=(2, 3), keepdim=True) / area for it in (one, other))
    product, *squares = ((it * weight).sum(dim=(1, 2, 3)) for it in (one * other, one * one, other * other))
    return _numbers(product / (squares[0] * squares[1]).sqrt().clamp(min=1e-6))


def _numbers(values: torch.Tensor) -> np.ndarray:
    return np.asarray(values.cpu())
