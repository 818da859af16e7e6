"""What the worker process does for a film: small copies for the model, and the dressed frames encoded.

Both passes read the films from their beginning. An open film stays open from one call to the next.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from frontend_proxy.videos.clip import Clip, ClipInfo, Limits
from frontend_proxy.videos.encoder import Encoder
from pipeline.light.composing import PlacedLight, composed, steadied

VIDEO, LAYER, MASK = "video", "layer", "mask"
# Of the model's copies; docs/websocket.md has what a light loses by it.
SIDE = 640
# Seconds: the light of a frame is a mean of those around it, with a Gaussian of this sigma.
_STEADY_S = 0.12
_SOON_S = 1e-3  # a layer's picture that comes so little later counts as that of the same moment


class Restarted(Exception):
    """What was written of the film is lost with the process or with its place among the open ones."""


@dataclass(frozen=True)
class Still:
    """One frame for the model: compressed pictures."""

    seconds: float
    frame: bytes
    layer: bytes
    mask: bytes | None


@dataclass(frozen=True)
class Light:
    """An answer with a light: its WebP, the report's numbers, and the occlusion's WebP."""

    image: bytes
    told: dict[str, Any]
    occlusion: bytes | None


def begin(folder: Path, limits: Limits) -> ClipInfo:
    """Check the films in the folder by their first pictures. Raises as `Clip` does."""
    for name in (LAYER, MASK):
        if (folder / name).exists():
            _first(folder / name, name, limits)
    width, height = _first(folder / VIDEO, VIDEO, limits)
    clip = Clip(folder / VIDEO, VIDEO, limits)
    info = clip.info()
    clip.close()
    return ClipInfo(width, height, info.seconds, info.frames)


def _first(path: Path, name: str, limits: Limits) -> tuple[int, int]:
    clip = Clip(path, name, limits)
    picture = next((it for _, it in clip.pictures()), None)
    clip.close()
    if picture is None:
        raise clip.unreadable("it has no pictures")
    return picture.shape[1], picture.shape[0]


class _Films:
    """The films of one job, read together."""

    def __init__(self, folder: Path, limits: Limits):
        self._clips = {
            name: Clip(folder / name, name, limits)
            for name in (VIDEO, LAYER, MASK)
            if (folder / name).exists()
        }
        self._frames = self._clips[VIDEO].pictures()
        self._beside = {name: _Beside(self._clips[name].pictures()) for name in self._clips if name != VIDEO}
        self.position = 0
        self.encoder: Encoder | None = None

    def take(self, count: int) -> Iterator[tuple[float, np.ndarray, dict[str, np.ndarray]]]:
        """The next frames: seconds, picture, and the pictures beside it by name."""
        for _ in range(count):
            found = next(self._frames, None)
            if found is None:
                return
            seconds, frame = found
            self.position += 1
            yield seconds, frame, {name: it.at(seconds) for name, it in self._beside.items()}

    def close(self) -> None:
        for clip in self._clips.values():
            clip.close()
        if self.encoder is not None:
            self.encoder.abandon()


class _Beside:
    """A film beside the clip: its newest picture at each moment. After its end the last one stays."""

    def __init__(self, pictures: Iterator[tuple[float, np.ndarray]]):
        self._pictures = pictures
        _, self._now = next(pictures)
        self._next = next(pictures, None)

    def at(self, seconds: float) -> np.ndarray:
        while self._next is not None and self._next[0] <= seconds + _SOON_S:
            self._now, self._next = self._next[1], next(self._pictures, None)
        return self._now


_open: dict[tuple[Path, str], _Films] = {}


def _films(folder: Path, limits: Limits, use: str, start: int) -> _Films:
    """The films at frame `start`, opened anew if they are elsewhere: this process may have been restarted."""
    films = _open.pop((folder, use), None)
    if films is None or films.position != start:
        if films is not None:
            films.close()
        films = _Films(folder, limits)
        for _ in films.take(start):
            pass
    while len(_open) >= limits.jobs:  # of a job whose end was not told: the queue was full
        _open.pop(next(iter(_open))).close()
    _open[folder, use] = films
    return films


def stills(folder: Path, limits: Limits, start: int, count: int, whole: bool) -> list[Still]:
    """Frames from `start` on, for the model; fewer at the end. whole: in their own size."""
    films = _films(folder, limits, "stills", start)
    found = [
        Still(
            seconds,
            _encoded(_opaque(frame), whole, ".jpg"),
            _encoded(beside[LAYER], whole, ".png"),
            _encoded(_opaque(beside[MASK]), whole, ".png") if MASK in beside else None,
        )
        for seconds, frame, beside in films.take(count)
    ]
    if len(found) < count:
        _open.pop((folder, "stills")).close()
    return found


def dress(
    folder: Path,
    limits: Limits,
    start: int,
    answers: Sequence[Light | Path | None],
    around: Sequence[tuple[float, Light | Path | None]],
    output: Path,
    last: bool,
) -> None:
    """Write the next frames of the dressed film.

    answers: of each frame: a light, a picture of the frame's size, or None for the frame itself.
    around: seconds and answers of these frames and of their neighbours.
    output: where the finished film is, whose name tells its format.
    Raises Restarted if the frames before `start` must be written again, InsufficientStorage.
    """
    before = _open.get((folder, "dress"))
    if start and (before is None or before.position != start):
        raise Restarted(f"the film is not open at frame {start}")
    films = _films(folder, limits, "dress", start)
    lights = [(seconds, _placed(it)) for seconds, it in around if isinstance(it, Light)]
    for answer, (seconds, frame, beside) in zip(answers, films.take(len(answers)), strict=True):
        frame = _opaque(frame)
        if isinstance(answer, Path):
            picture = cv2.imread(str(answer), cv2.IMREAD_COLOR)
        elif answer is None:
            picture = frame
        else:
            picture = _lit(frame, _masked(beside), seconds, lights)
        if films.encoder is None:
            films.encoder = Encoder(output, (frame.shape[1], frame.shape[0]))
        films.encoder.write(picture, seconds)
    if last:
        if films.encoder is not None:
            films.encoder.close()
            films.encoder = None
        end(folder)


def end(folder: Path) -> None:
    """Close what is open of a job."""
    for use in ("stills", "dress"):
        if films := _open.pop((folder, use), None):
            films.close()


def _placed(light: Light) -> PlacedLight:
    return PlacedLight.of(light.image, light.told, light.occlusion)


def _lit(
    frame: np.ndarray, layer: np.ndarray, seconds: float, lights: list[tuple[float, PlacedLight]]
) -> np.ndarray:
    size = frame.shape[1], frame.shape[0]
    at = min(range(len(lights)), key=lambda number: abs(lights[number][0] - seconds))
    near = [number for number, (time, _) in enumerate(lights) if abs(time - seconds) <= 2.5 * _STEADY_S]
    weights = [float(np.exp(-0.5 * ((lights[n][0] - seconds) / _STEADY_S) ** 2)) for n in near]
    light = steadied([lights[number][1] for number in near], weights, near.index(at), size)
    return composed(frame, layer, lights[at][1], light)


def _masked(beside: dict[str, np.ndarray]) -> np.ndarray:
    """The layer, cut out by the mask if there is one."""
    layer = beside[LAYER]
    if MASK not in beside:
        return layer
    grey = cv2.cvtColor(_opaque(beside[MASK]), cv2.COLOR_BGR2GRAY)
    grey = cv2.resize(grey, layer.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    alpha = cv2.min(grey, layer[:, :, 3]) if layer.shape[2] == 4 else grey
    return np.dstack([layer[:, :, :3], alpha])


def _opaque(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture[:, :, :3])


def _encoded(picture: np.ndarray, whole: bool, suffix: str) -> bytes:
    scale = 1.0 if whole else min(1.0, SIDE / max(picture.shape[:2]))
    if scale < 1:
        size = tuple(max(1, round(scale * side)) for side in picture.shape[1::-1])
        if picture.shape[2] == 4:
            premultiplied = cv2.cvtColor(picture, cv2.COLOR_RGBA2mRGBA)
            small = cv2.resize(premultiplied, size, interpolation=cv2.INTER_AREA)
            picture = cv2.cvtColor(small, cv2.COLOR_mRGBA2RGBA)
        else:
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    options = [cv2.IMWRITE_JPEG_QUALITY, 93, cv2.IMWRITE_PNG_COMPRESSION, 1]
    data: bytes = cv2.imencode(suffix, picture, options if suffix == ".jpg" else options[2:])[1].tobytes()
    return data
