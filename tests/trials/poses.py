"""What a client says about the body: whatever it is, the shopper gets a picture."""

import json

from tests.trials.client import FOLDER, POSES, changed, difference, face, hands, photo, pixels
from tests.trials.registry import trial

SPARED = 4  # grey levels: JPEG's noise and a soft edge


def is_dressed(answer, frame="person.jpg"):
    assert answer["type"] == "keyframe_result", answer
    assert answer["mode"] == "ai_enhanced", (answer["mode"], answer.get("mode_reason"), answer.get("detail"))
    assert changed(pixels(answer["image"]), photo(frame)) > 0.03


def is_understood(answer):
    """Face and hands are spared under a render that covers the whole person."""
    is_dressed(answer)
    off = difference(pixels(answer["image"]), photo("person.jpg"))
    assert face(off) < SPARED, f"the face is off by {face(off):.0f}"
    assert hands(off) < SPARED, f"the hands are off by {hands(off):.0f}"


@trial("P1", "arrays", "bare_list", "by_number", "capital_keys")
async def landmarks_of_another_shape(server, name):
    """A pose of another shape is understood"""
    is_understood(await server.keyframe(POSES[name], render="veil.png"))


@trial("P1", "empty_list", "false", "text")
async def what_is_no_pose(server, name):
    """What is no pose counts as none, and a detail says so"""
    is_dressed(answer := await server.keyframe(POSES[name]))
    assert answer["detail"] or not POSES[name], answer


@trial("P1", "arrays", "text")
async def a_capture_takes_the_same(server, name):
    """A capture takes the same poses as a keyframe"""
    answer = await server.capture(pose=POSES[name])
    assert answer.status_code == 200, answer.text[:300]


@trial("P2", "coco17", "coco17_named", "coco18_openpose")
async def another_tracker(server, name):
    """Another tracker's points do not make the jacket vanish"""
    is_dressed(answer := await server.keyframe(POSES[name]))
    assert answer["detail"] or "named" in name, answer


@trial("P3", "visibility_0", "visibility_minus_1")
async def unknown_visibility(server, name):
    """A visibility of 0 or -1 everywhere is none"""
    is_understood(await server.keyframe(POSES[name], render="veil.png"))


@trial("P4", "pixels", "percent")
async def other_units(server, name):
    """Pixels and per cent are understood, or a detail says what is wanted"""
    answer = await server.keyframe(POSES[name], render="veil.png")
    try:
        is_understood(answer)
    except AssertionError:
        is_dressed(answer)
        assert answer["detail"], answer


@trial("P5")
async def a_pose_that_is_lost_for_a_frame(server):
    """A pose that is lost for one keyframe moves nothing"""
    pose = json.loads((FOLDER / "portrait_pose.json").read_text())
    first, lost, again = await server.keyframes(
        [pose, None, pose], frame="portrait.jpg", render="portrait_canvas.png"
    )
    assert first["alignment"]["fit"] == lost["alignment"]["fit"] == again["alignment"]["fit"]
    frame = photo("portrait.jpg")
    areas = [changed(pixels(answer["image"]), frame) for answer in (first, lost, again)]
    assert max(areas) < 1.5 * min(areas), areas
