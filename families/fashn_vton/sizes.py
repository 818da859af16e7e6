"""The network's sizes: from the tensors where they show them, else from config.json or as released."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from export.errors import ExportError

COLOURS = 3
SAMPLE_CHANNELS = 7  # noisy RGB, person RGB, person's pose
GARMENT_CHANNELS = 4  # garment RGB, its wearer's pose
TIMESTEP_WIDTH = 256

# What no tensor shows, as in the released checkpoint, which has no config.json.
_RELEASED = {"input_shape": (864, 576), "theta": 10_000}
_BLOCKS = ("x_patch_mixer", "double_blocks", "single_blocks")

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Sizes:
    """
    picture: (height, width) in pixels that the network was trained at.
    axes: components of a head that each axis of the positions turns. theta: base of their angles.
    """

    width: int
    heads: int
    mlp: int
    patch: int
    patch_mixer_blocks: int
    double_blocks: int
    single_blocks: int
    categories: int
    axes: tuple[int, int, int]
    theta: float
    picture: tuple[int, int]


def read_sizes(shapes: Shapes, config: Mapping[str, Any], source: str) -> Sizes:
    """The sizes of a checkpoint with tensors of these shapes.

    config: its config.json; empty if there is none. source: the checkpoint's name in errors.
    Raises ExportError if config.json and the tensors disagree, or if a size cannot be.
    """
    try:
        width, _, patch, _ = shapes["x_embedder.proj.weight"]
        head = _head(shapes)
        mixers, doubles, singles = (_depth(shapes, blocks) for blocks in _BLOCKS)
        mlp = shapes["single_blocks.0.linear2.weight"][1] - width
        categories = shapes["y_embedder.weight"][0] - 1
    except (KeyError, ValueError, IndexError, StopIteration) as error:
        raise ExportError(
            f"{source} looks like FASHN VTON, but its tensors do not fit it: {error}"
        ) from error
    if not head or width % head:
        raise ExportError(f"{source}: FASHN VTON's width of {width} cannot be cut into heads of {head}")
    shown = {
        "hidden_size": width,
        "n_heads": width // head,
        "patch_size": patch,
        "patch_mixer_depth": mixers,
        "double_blocks_depth": doubles,
        "single_blocks_depth": singles,
        "n_classes": categories,
    }
    for name, value in shown.items():
        if config.get(name, value) != value:
            raise ExportError(
                f"{source}: its config.json says {name} {config[name]!r}, and its weights have {value}"
            )
    return Sizes(
        width=width,
        heads=width // head,
        mlp=mlp,
        patch=patch,
        patch_mixer_blocks=mixers,
        double_blocks=doubles,
        single_blocks=singles,
        categories=categories,
        axes=_axes(config, head, source),
        theta=_number(config, source),
        picture=_picture(config, patch, source),
    )


def _head(shapes: Shapes) -> int:
    return next(shape[0] for name, shape in shapes.items() if name.endswith(".query_norm.scale"))


def _depth(shapes: Shapes, blocks: str) -> int:
    numbers = {int(name.split(".")[1]) for name in shapes if name.startswith(f"{blocks}.")}
    if numbers != set(range(len(numbers))):
        raise ValueError(f"{blocks} are not numbered from 0 without a gap")
    return len(numbers)


def _axes(config: Mapping[str, Any], head: int, source: str) -> tuple[int, int, int]:
    """As config.json says, else in the released checkpoint's proportions, 16 : 56 : 56 of 128."""
    axes = config.get("axes_dim") or (head // 8, 7 * head // 16, 7 * head // 16)
    if (
        not isinstance(axes, list | tuple)
        or len(axes) != 3
        or not all(isinstance(it, int) and it > 0 and it % 2 == 0 for it in axes)
        or sum(axes) != head
    ):
        raise ExportError(
            f"{source}: axes_dim must be three even numbers whose sum is the head's width, {head}; "
            f"write them into its config.json"
        )
    return axes[0], axes[1], axes[2]


def _number(config: Mapping[str, Any], source: str) -> float:
    theta = config.get("theta", _RELEASED["theta"])
    if isinstance(theta, bool) or not isinstance(theta, int | float) or not theta > 1:
        raise ExportError(f"{source}: its config.json says theta {theta!r}, which must be a number over 1")
    return float(theta)


def _picture(config: Mapping[str, Any], patch: int, source: str) -> tuple[int, int]:
    shape = config.get("input_shape", _RELEASED["input_shape"])
    if (
        not isinstance(shape, list | tuple)
        or len(shape) != 2
        or not all(isinstance(side, int) and side > 0 and side % patch == 0 for side in shape)
    ):
        raise ExportError(
            f"{source}: its config.json says input_shape {shape!r}, which must be height and width in "
            f"multiples of {patch} pixels"
        )
    return shape[0], shape[1]
