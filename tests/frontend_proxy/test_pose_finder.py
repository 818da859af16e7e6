"""The pose of whoever is in a picture, with the network that the studio uses."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from catalog.catalog import BUILT_IN_TEXTURES
from frontend_proxy.pose_finder import find_pose
from tests.tryon_client import KEYFRAMES

SHOULDERS, HIPS = [11, 12], [23, 24]


def jpeg(picture: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".jpg", picture)[1])


# Left and right shoulder, measured by eye: the pose in its message is a coarse one.
PLACES = np.array([[0.54, 0.45], [0.31, 0.43]])


def known() -> np.ndarray:
    return cv2.imread(str(KEYFRAMES / "transparent_off_body" / "camera_frame.jpg"))


def test_shoulders_are_where_one_sees_them() -> None:
    pose = find_pose(jpeg(known()))
    assert pose is not None
    assert (pose.shape, pose.dtype) == ((33, 4), np.float32)
    assert np.abs(pose[SHOULDERS, :2] - PLACES).max() < 0.05
    assert pose[SHOULDERS, 3].min() > 0.9
    assert (pose[HIPS, 1] > pose[SHOULDERS, 1]).all()


@pytest.mark.parametrize("margins", [(0, 0, 0, 640), (360, 0, 0, 0), (180, 180, 320, 320)])
def test_a_person_may_be_anywhere_in_the_picture(margins: tuple[int, int, int, int]) -> None:
    """margins: above, below, left, right."""
    frame = known()
    frame = cv2.resize(frame, (640, 360), interpolation=cv2.INTER_AREA)
    picture = cv2.copyMakeBorder(frame, *margins, cv2.BORDER_CONSTANT, value=(120, 120, 120))
    pose = find_pose(jpeg(picture))
    assert pose is not None
    found = pose[SHOULDERS, :2] * picture.shape[1::-1] - (margins[2], margins[0])
    assert np.abs(found / (640, 360) - PLACES).max() < 0.12


def test_a_leaning_person_is_found() -> None:
    """The second look is turned with the body."""
    frame = known()
    height, width = frame.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 20, 1)
    pose = find_pose(jpeg(cv2.warpAffine(frame, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)))
    assert pose is not None
    wanted = (PLACES * (width, height)) @ turn[:, :2].T + turn[:, 2]
    assert np.abs(pose[SHOULDERS, :2] * (width, height) - wanted).max() / width < 0.05


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", ["brick", "chelsea", "coffee", "coins", "grass", "gravel", "page", "rocket"])
def test_where_nobody_is_nobody_is_found(name: str) -> None:
    picture = getattr(data, name)()
    assert find_pose(jpeg(picture if picture.ndim == 2 else picture[:, :, ::-1])) is None


def test_cloth_is_nobody() -> None:
    for texture in sorted(BUILT_IN_TEXTURES.glob("*.jpg"))[::6]:
        assert find_pose(texture.read_bytes()) is None, texture.name


@pytest.mark.parametrize("image", [b"", b"no picture", jpeg(np.zeros((1, 1, 3), np.uint8))])
def test_what_is_no_picture_has_nobody(image: bytes) -> None:
    assert find_pose(image) is None


def test_a_picture_on_its_side_is_seen_upright() -> None:
    """A phone writes EXIF's orientation; shares are those of the picture as it is seen."""
    frame = known()
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6  # it is shown turned by 90° clockwise
    Image.fromarray(np.rot90(frame)[:, :, ::-1]).save(file, "JPEG", exif=exif)
    pose = find_pose(file.getvalue())
    assert pose is not None
    assert np.abs(pose[SHOULDERS, :2] - PLACES).max() < 0.05
