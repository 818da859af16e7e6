import asyncio
import base64
import errno
import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catalog import Catalog, Fabric, FabricDetails
from catalog.schema import REQUIRED_ROLES
from frontend_proxy.errors import InvalidInput
from frontend_proxy.job_factory import NOBODY, JobFactory
from frontend_proxy.schemas import Capture, Keyframe, validate
from frontend_proxy.settings import Settings

FIELDS = {"camera_frame": "Zm9v", "user_image": "Zm9v", "jacket_render": "YmFy"}


def factory(**settings: object) -> JobFactory:
    return JobFactory(Settings(_env_file=None, **settings), Catalog(None))


async def test_steps_are_the_client_s_else_the_settings_else_the_model_s() -> None:
    keyframe, capture = validate(Keyframe, FIELDS), validate(Capture, FIELDS)
    asking = validate(Capture, {**FIELDS, "steps": 9})
    configured = factory(fast_inference_steps=2, quality_inference_steps=30)
    assert (await factory().keyframe(keyframe, b"bar", "connection", 1)).steps is None
    assert (await configured.keyframe(keyframe, b"bar", "connection", 1)).steps == 2
    assert (await configured.capture(capture)).steps == 30
    assert (await configured.capture(asking)).steps == 9


async def test_more_steps_than_allowed_are_refused() -> None:
    asking = validate(Capture, {**FIELDS, "steps": 9})
    assert (await factory(max_steps=9).capture(asking)).steps == 9
    with pytest.raises(InvalidInput, match="at most 8"):
        await factory(max_steps=8).capture(asking)


async def test_only_a_known_fabric_has_a_name() -> None:
    names = {
        fabric_id: (await factory().capture(validate(Capture, {**FIELDS, "fabric_id": fabric_id}))).fabric
        for fabric_id in ("denim-blue", "custom-1707735000000", "", None)
    }
    assert names.pop("denim-blue")
    assert set(names.values()) == {None}


async def test_a_saved_fabric_is_looked_up_in_a_thread(tmp_path: Path) -> None:
    """Its disk may be a network disk, and hang; built-in fabrics are in memory."""

    class Watched(Catalog):
        def get(self, fabric_id: str) -> Fabric | None:
            assert threading.current_thread() is not threading.main_thread()
            return super().get(fabric_id)

    catalog = Watched(tmp_path)
    maps = {role: (role.encode(), "image/jpeg") for role in REQUIRED_ROLES}
    saved = catalog.add(FabricDetails(name="Attic wool", roughness=0.9), maps)
    jobs = JobFactory(Settings(_env_file=None), catalog)
    for fabric_id, name in ((saved.id, "Attic wool"), ("denim-blue", catalog.built_in["denim-blue"].name)):
        keyframe = validate(Keyframe, {**FIELDS, "fabric_id": fabric_id})
        assert (await jobs.keyframe(keyframe, b"bar", "connection", 1)).fabric == name


async def test_no_keyframe_waits_for_a_disk_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    class Hanging(Catalog):
        def get(self, fabric_id: str) -> Fabric | None:
            released.wait(10)
            return None

    monkeypatch.setattr("frontend_proxy.job_factory.LOOK_UP_S", 0.05)
    keyframe = validate(Keyframe, {**FIELDS, "fabric_id": "attic-wool"})
    jobs = JobFactory(Settings(_env_file=None), Hanging(tmp_path))
    try:
        async with asyncio.timeout(5):
            assert (await jobs.keyframe(keyframe, b"bar", "connection", 1)).fabric is None
    finally:
        released.set()


async def test_look_ups_that_hang_leave_the_threads_of_others_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    class Hanging(Catalog):
        def get(self, fabric_id: str) -> Fabric | None:
            released.wait(10)
            return None

    monkeypatch.setattr("frontend_proxy.job_factory.LOOK_UP_S", 0.05)
    jobs = JobFactory(Settings(_env_file=None), Hanging(tmp_path))
    keyframes = [validate(Keyframe, {**FIELDS, "fabric_id": f"attic-{number}"}) for number in range(40)]
    try:
        async with asyncio.timeout(5):
            await asyncio.gather(*(jobs.keyframe(one, b"bar", "connection", 1) for one in keyframes))
            assert await asyncio.to_thread(lambda: "ran") == "ran"
    finally:
        released.set()


async def test_a_disk_that_fails_costs_the_name_and_not_the_keyframe(tmp_path: Path) -> None:
    class Failing(Catalog):
        def get(self, fabric_id: str) -> Fabric | None:
            raise OSError(errno.ESTALE, "stale file handle")

    keyframe = validate(Keyframe, {**FIELDS, "fabric_id": "attic-wool"})
    jobs = JobFactory(Settings(_env_file=None), Failing(tmp_path))
    assert (await jobs.keyframe(keyframe, b"bar", "connection", 1)).fabric is None


async def test_a_seed_of_zero_is_a_seed() -> None:
    keyframe = validate(Keyframe, {**FIELDS, "seed": 0})
    assert (await factory().keyframe(keyframe, b"bar", "connection", 5)).seed == 0


async def test_a_session_belongs_to_one_connection_one_client_session_and_one_fabric() -> None:
    """Two users with the same session_id must not share the light of their pictures."""

    async def session(connection: str, **fields: object) -> str | None:
        keyframe = validate(Keyframe, {**FIELDS, **fields})
        return (await factory().keyframe(keyframe, b"bar", connection, 5)).session

    one = await session("secret", session_id="anna", fabric_id="custom-1")
    assert one == await session("secret", session_id="anna", fabric_id="custom-1")
    others = {
        await session("another", session_id="anna", fabric_id="custom-1"),
        await session("secret", session_id="ben", fabric_id="custom-1"),
        await session("secret", session_id="anna", fabric_id="custom-2"),
        await session("secret"),
    }
    assert len(others) == 4
    assert one not in others
    assert (await factory().capture(validate(Capture, FIELDS))).session is None


def turned(width: int, height: int, orientation: int, name: str) -> str:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, name, exif=exif.tobytes())
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize(("orientation", "size"), [(1, (640, 480)), (3, (640, 480)), (6, (480, 640))])
@pytest.mark.parametrize("name", ["JPEG", "AVIF"])
async def test_pixels_of_a_pose_are_those_of_the_frame_as_it_is_seen(
    orientation: int, size: tuple[int, int], name: str
) -> None:
    frame = turned(640, 480, orientation, name)
    points = [{"x": 0.25 * size[0], "y": 0.75 * size[1]}] * 33
    fields = {**FIELDS, "camera_frame": frame, "user_image": frame, "pose": points}
    capture = await factory().capture(validate(Capture, fields))
    keyframe = await factory().keyframe(validate(Keyframe, fields), b"bar", "connection", 1)
    for job in (capture, keyframe):
        assert job.pose is not None
        assert job.pose[0, :2].tolist() == [0.25, 0.75]


async def test_a_pose_that_is_none_is_told_and_costs_nothing() -> None:
    job = await factory().capture(validate(Capture, {**FIELDS, "pose": "standing"}))
    assert job.pose is None
    assert job.detail is not None
    assert job.detail.startswith("pose: ")


PHOTO = {"user_image": "Zm9v", "garment_image": "Y29hdA=="}
POSE = np.ones((33, 4), np.float32)


@pytest.mark.parametrize(
    ("fields", "looks"),
    [
        (PHOTO, True),
        ({**PHOTO, "pose": "nonsense"}, True),
        ({"user_image": "Zm9v", "garments": [{"garment_image": "Y29hdA=="}]}, True),
        ({**PHOTO, "mask": "bWFzaw=="}, False),
        ({**PHOTO, "jacket_render": "YmFy"}, False),
        ({"user_image": "Zm9v", "garments": [{"jacket_render": "YmFy"}]}, False),
        ({**PHOTO, "pose": {"landmarks": [{"x": 0.5, "y": 0.5, "z": 0, "visibility": 1}] * 33}}, False),
    ],
)
async def test_a_pose_is_looked_for_where_nothing_else_tells_the_region(
    fields: dict[str, object], looks: bool
) -> None:
    asked = []

    async def find(image: bytes) -> np.ndarray | None:
        asked.append(image)
        return POSE

    jobs = JobFactory(Settings(_env_file=None), Catalog(None), find)
    job = await jobs.capture(validate(Capture, fields))
    assert asked == ([b"foo"] if looks else [])
    assert (job.pose is POSE) is looks


async def test_a_capture_says_that_nobody_was_found_and_what_was_wrong_with_its_pose() -> None:
    async def find(image: bytes) -> None:
        return None

    jobs = JobFactory(Settings(_env_file=None), Catalog(None), find)
    assert (await jobs.capture(validate(Capture, PHOTO))).detail == NOBODY
    detail = (await jobs.capture(validate(Capture, {**PHOTO, "pose": "nonsense"}))).detail
    assert detail is not None
    assert detail.startswith("pose: no landmarks were found in it")
    assert detail.endswith(NOBODY)
