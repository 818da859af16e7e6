"""The level's linear part in closed form: ridge regression of the level's error on the mean colours of the
scene's parts.

A new network then begins where gradient descent would be after minutes, and a trained one is fitted to scenes
of another kind, of which there are few yet.
"""

import torch
from torch import Tensor

from pipeline.light.light_reader import LightReader
from training.scene_light.augmentation import Batch
from training.scene_light.learning import truth

# Weight of a coefficient's square, over that of a mean squared error.
_RIDGE = 0.03
# Cells of the map that a garment must cover.
_LEAST = 20


@torch.no_grad()
def fit_level(network: LightReader, batches: list[Batch]) -> tuple[float, float]:
    """Changes the network's linear part; returns the level's error before and after, a root mean square."""
    network.eval()
    features, errors = [], []
    for batch in batches:
        told, _ = network.told(batch.scene)
        light, weight = truth(batch)
        area = weight.sum(dim=(2, 3))
        error = ((light - network.regress(batch.scene)[0]) * weight).sum(dim=(2, 3)) / (area + 1e-3)
        large = area[:, 0] > _LEAST
        features.append(told[large])
        errors.append(error[large])
    known, wanted = torch.cat(features), torch.cat(errors)
    weights = _ridge(known.double(), wanted.double()).float()
    network.plain.weight.add_(weights[:-1].T)
    network.plain.bias.add_(weights[-1])
    left = wanted - known @ weights[:-1] - weights[-1]
    before, after = (float(it.mean(dim=1).square().mean().sqrt()) for it in (wanted, left))
    return before, after


def _ridge(features: Tensor, wanted: Tensor) -> Tensor:
    """(K + 1, 3): the coefficients, and the constants, which cost nothing."""
    known = torch.cat([features, features.new_ones(len(features), 1)], dim=1)
    cost = _RIDGE * torch.eye(known.shape[1], dtype=known.dtype, device=known.device)
    cost[-1, -1] = 1e-6
    return torch.linalg.solve(known.T @ known / len(known) + cost, known.T @ wanted / len(known))
