"""Several renders drawn over each other on one canvas, and which garment each pixel of it shows.

    α_i   a render's own coverage of the canvas
    v_i = α_i · Π (1 − α_j) over the renders j above it: what is seen of it

They come from one renderer, so that they lie on the frame in the same way: one search places all of them.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pipeline.errors import InvalidInput
from pipeline.garment.keying import keyed
from pipeline.garment.pictures import decode_render
from pipeline.garment.placement import Silhouettes
from pipeline.garment.pose import Pose
from pipeline.garment.registration import Registration
from pipeline.resize import shrink_to, shrink_within, size_of

# Canvases whose aspects differ by more than this factor do not lie on the frame in the same way.
_SAME_ASPECT = 1.02
# Alpha from here on counts as opaque.
_OPAQUE = 250
# Long side, in pixels, at which shares are counted and garments are compared with the body.
COUNT_AT = 256
# A garment that covers less of another than this does not hide it.
HIDES = 0.02


@dataclass(frozen=True)
class Layers:
    """
    canvas: (h, w, 4) BGRA uint8, all renders over each other.
    alphas, seen: α and v of each render, (h, w) uint8, from the lowest to the highest.
    indices: each garment's place in the request.
    """

    canvas: np.ndarray
    alphas: tuple[np.ndarray, ...]
    seen: tuple[np.ndarray, ...]
    indices: tuple[int, ...]

    def telling(self, pose: Pose, size: tuple[int, int]) -> np.ndarray:
        """The α that tells best how the canvas lies on a frame of `size`: that of the garment which lies most
        on the trunk, since trousers beside it would look like a jacket that hangs too low."""
        if not pose.tracked:
            return cv2.extractChannel(self.canvas, 3)
        small = tuple(max(1, round(side * COUNT_AT / max(size))) for side in size)
        overlaps = [Silhouettes(cv2.resize(alpha, small), pose).overlap() for alpha in self.alphas]
        return self.alphas[int(np.argmax(overlaps))]

    def map_on_frame(self, registration: Registration, size: tuple[int, int]) -> np.ndarray:
        """Which garment each pixel of the frame shows, by its place among the layers: (H, W) uint8."""
        most = registration.warp(self.seen[0], size)
        found = np.zeros(most.shape, np.uint8)
        for layer, seen in enumerate(self.seen[1:], 1):
            share = registration.warp(seen, size)
            found[share > most] = layer
            most = cv2.max(most, share)
        return found

    def report(self, registration: Registration, mask: np.ndarray) -> list[dict[str, Any]]:
        """For each garment its `index`, `visible_share`: of its own pixels, how many are seen under the
        others and beside head and hands, and `hidden_by`: the indices of the garments over it.

        mask: (H, W) uint8, what is left of all of them on the frame. The share is None for an empty canvas.
        """
        small_mask = shrink_within(mask, COUNT_AT)
        sizes = size_of(self.canvas), size_of(mask), size_of(small_mask)
        to_small = registration.rescaled(sizes[0], sizes[0], sizes[1], sizes[2])

        def placed(share: np.ndarray) -> np.ndarray:
            return np.asarray(to_small.warp(share, sizes[2]), np.float32) / 255

        alphas = [placed(alpha) for alpha in self.alphas]
        left = small_mask / 255 / np.maximum(placed(cv2.extractChannel(self.canvas, 3)), 1 / 255)
        reports = []
        for layer, (index, seen) in enumerate(zip(self.indices, self.seen, strict=True)):
            total = float(alphas[layer].sum())
            share = float((placed(seen) * left.clip(0, 1)).sum()) / total if total >= 1 else None
            over = [
                self.indices[other]
                for other in range(layer + 1, len(alphas))
                if total and float((alphas[layer] * alphas[other]).sum()) > HIDES * total
            ]
            reports.append(
                {
                    "index": index,
                    "visible_share": None if share is None else round(min(share, 1), 3),
                    "hidden_by": sorted(over),
                }
            )
        return reports


def layered(renders: np.ndarray, parts: np.ndarray, longest: int) -> Layers:
    """The renders over each other.

    renders: compressed bytes of all, one after the other, (N,) uint8.
    parts: (n, 2) int32, the number of bytes and the garment's place in the request of each, from the lowest.
    longest: the canvas' longer side in pixels, if the lowest render's is longer.
    Raises InvalidInput and NotAnImage; their messages name the garment.
    """
    ends = np.cumsum(parts[:, 0])
    pictures = np.split(renders, ends[:-1])
    canvas: np.ndarray | None = None
    alphas: list[np.ndarray] = []
    seen: list[np.ndarray] = []
    first_size = (0, 0)
    for picture, index in zip(pictures, parts[:, 1].tolist(), strict=True):
        drawn = _premultiplied(picture, index)
        if canvas is None:
            first_size = size_of(drawn)
            size = size_of(shrink_within(np.empty(drawn.shape[:2], np.uint8), longest))
        _check_aspect(size_of(drawn), first_size, index, int(parts[0, 1]))
        drawn = shrink_to(drawn, size) if drawn.shape[1] > size[0] else cv2.resize(drawn, size)
        alpha = cv2.extractChannel(drawn, 3)
        below = 255 - alpha
        canvas = drawn if canvas is None else cv2.add(drawn, _times(canvas, below))
        seen = [cv2.multiply(share, below, scale=1 / 255) for share in seen]
        alphas.append(alpha)
        seen.append(alpha)
    assert canvas is not None
    straight = cv2.cvtColor(canvas, cv2.COLOR_mRGBA2RGBA)  # BGR order is kept
    return Layers(straight, tuple(alphas), tuple(seen), tuple(parts[:, 1].tolist()))


def _premultiplied(picture: np.ndarray, index: int) -> np.ndarray:
    """A render, (h, w, 4) BGRA uint8, its colours times its alpha."""
    name = f"garments.{index}.jacket_render"
    render = decode_render(picture, name)
    if render.shape[2] == 4 and cv2.minMaxLoc(cv2.extractChannel(render, 3))[0] >= _OPAQUE:
        render = cv2.cvtColor(render, cv2.COLOR_BGRA2BGR)
    if render.shape[2] == 3:
        alpha = keyed(render)
        if alpha is None:
            raise InvalidInput(
                f"{name} is opaque, and its background has more than one colour; of several garments, each "
                "render must be transparent around its garment, so that they can be drawn over each other"
            )
        render = cv2.merge([*cv2.split(render), alpha])
    return np.asarray(cv2.cvtColor(render, cv2.COLOR_RGBA2mRGBA))


def _check_aspect(size: tuple[int, int], first: tuple[int, int], index: int, first_index: int) -> None:
    ratio = size[0] * first[1] / (size[1] * first[0])
    if not 1 / _SAME_ASPECT <= ratio <= _SAME_ASPECT:
        raise InvalidInput(
            f"garments.{index}.jacket_render is {size[0]}×{size[1]} and garments.{first_index}.jacket_render "
            f"{first[0]}×{first[1]}; draw all garments on canvases of one size"
        )


def _times(picture: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.multiply(picture, cv2.merge([share] * 4), scale=1 / 255))
