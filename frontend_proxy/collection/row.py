"""A row's files, made in the worker process.

Every picture is decoded and encoded anew, so that no metadata (place, time, camera) is stored.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from frontend_proxy.errors import InvalidInput, UndecodableImage
from frontend_proxy.pose import COORDINATES, read_pose
from pipeline.garment.patch import with_room
from pipeline.garment.pose import Pose
from pipeline.pictures.decoding import NotAPicture, decode_grey, decode_opaque, decode_with_alpha
from pipeline.resize import size_of

_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 95]
# What of a head stays: so many cells across it, and how much is blurred around it, in shares of its height.
_CELLS, _AROUND = 4, 0.12
# Sides of one aspect differ by less than this share.
_ASPECT = 0.02


@dataclass(frozen=True)
class Pictures:
    """Compressed, as they came.

    pose, photo_pose: what the client sent; the photo's is that of the person where it is the same shot.
    """

    person: bytes
    photo: bytes
    render: bytes | None
    garment: bytes | None
    mask: bytes | None
    pose: object
    photo_pose: object


def make_row(pictures: Pictures, blur_heads: bool) -> dict[str, bytes]:
    """The row's files by name, but for captions and `row.json`. Raises InvalidInput, UndecodableImage."""
    person = _decoded(decode_opaque, pictures.person, "user_image")
    photo = _decoded(decode_opaque, pictures.photo, "photo")
    _check_aspect(person, photo)
    # Only the decoded picture tells the size in which landmarks are pixels: headers leave turns out.
    pose, _ = read_pose(pictures.pose, lambda: size_of(person))
    photo_pose, _ = read_pose(pictures.photo_pose, lambda: size_of(photo))
    render, garment = _layer(pictures.render, "jacket_render"), _layer(pictures.garment, "garment_image")
    if blur_heads:
        person = blurred(person, pose, "user_image", "pose")
        photo = blurred(photo, photo_pose, "photo", "photo_pose")
        if render is not None and render.shape[2] == 3:
            raise InvalidInput(
                "jacket_render: it is opaque and may show the head; send one that is transparent around the "
                "garment, or blur_heads: false"
            )
    files = {"person.jpg": _jpeg(person), "photo.jpg": _jpeg(photo)}
    if render is not None:
        files["render.png"] = _png(_without_hidden(render))
    if garment is not None:
        files |= {"garment.png": _png(garment)} if garment.shape[2] == 4 else {"garment.jpg": _jpeg(garment)}
    if pictures.mask is not None:
        files["mask.png"] = _png(_decoded(decode_grey, pictures.mask, "mask"))
    if pose is not None:
        points = [dict(zip(COORDINATES, point, strict=True)) for point in pose.tolist()]
        files["pose.json"] = json.dumps({"landmarks": points}).encode()
    return files


def blurred(picture: np.ndarray, pose: np.ndarray | None, name: str, pose_name: str) -> np.ndarray:
    """The picture, (H, W, 3) uint8, with its head in a few coarse cells.

    Raises InvalidInput if the pose shows no head.
    """
    size = size_of(picture)
    head = None if pose is None else Pose(pose, size).head
    if head is None or not head.mask.any():
        raise InvalidInput(
            f"blur_heads: no head is found in {name}; send {pose_name} with visible eyes and mouth, or "
            "blur_heads: false if the person agrees to be recognised"
        )
    height = max(head.mask.shape)
    margin = max(2, round(_AROUND * height))
    x, y, width, tall = with_room(head.box, 2 * margin, size)
    mask = cv2.dilate(255 * head.within((x, y, width, tall)), np.ones((2 * margin + 1,) * 2, np.uint8))
    share = cv2.GaussianBlur(mask, (0, 0), margin / 3)[..., None].astype(np.float32) / 255
    part = np.s_[y : y + tall, x : x + width]
    cells = cv2.resize(picture[part], (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(cells, (width, tall), interpolation=cv2.INTER_LINEAR)
    result = picture.copy()
    # Within the mask nothing of the picture is left, also not a faint trace at its soft edge's inner side.
    share = np.where(head.within((x, y, width, tall))[..., None] > 0, 1, share)
    result[part] = np.rint(picture[part] + share * (coarse.astype(np.float32) - picture[part])).astype(
        np.uint8
    )
    return result


def _check_aspect(person: np.ndarray, photo: np.ndarray) -> None:
    (width, height), (photo_width, photo_height) = size_of(person), size_of(photo)
    if abs(photo_width * height - photo_height * width) > _ASPECT * photo_width * height:
        raise InvalidInput(
            f"photo: it has {photo_width} × {photo_height} pixels and user_image {width} × {height}: they "
            "are no pictures of one shot"
        )


def _decoded(decode: Callable[[bytes], np.ndarray], data: bytes, name: str) -> np.ndarray:
    try:
        return decode(data)
    except NotAPicture as error:
        raise UndecodableImage(f"{name}: {error}") from error


def _layer(data: bytes | None, name: str) -> np.ndarray | None:
    return None if data is None else _decoded(decode_with_alpha, data, name)


def _without_hidden(render: np.ndarray) -> np.ndarray:
    """What is transparent has no colour: under it a canvas may still hold the camera's picture."""
    if render.shape[2] == 3:
        return render
    return np.where(render[..., 3:] > 0, render, 0).astype(np.uint8)


def _jpeg(picture: np.ndarray) -> bytes:
    return _encoded(picture, ".jpg", _QUALITY)


def _png(picture: np.ndarray) -> bytes:
    return _encoded(picture, ".png", [])


def _encoded(picture: np.ndarray, ending: str, options: list[int]) -> bytes:
    done, data = cv2.imencode(ending, picture, options)
    assert done
    return bytes(data)


def texts(caption: str | None, about: Mapping[str, object]) -> dict[str, bytes]:
    """The row's files that are no pictures. about: of `row.json`."""
    files = {"row.json": json.dumps(about, indent=2).encode() + b"\n"}
    return files | ({"caption.txt": caption.encode() + b"\n"} if caption else {})
