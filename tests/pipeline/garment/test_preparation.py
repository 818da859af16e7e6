import base64
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import InvalidInput, NotAnImage
from pipeline.garment.occlusion import encode_share
from pipeline.garment.preparation import prepare
from pipeline.garment.visibility import Networks
from tests.pipeline.garment.scenes import (
    FRAME_SIZE,
    iou,
    landmarks,
    no_hand,
    opaque_render,
    outline,
    photograph,
    transparent_render,
)
from training.landmarks import from_points

NO_POSE = np.zeros((33, 4), np.float32)
TRIALS = Path(__file__).parents[2] / "data" / "trials"
NO_MASK = np.zeros(1, np.uint8)


def compressed(picture, suffix=".png"):
    return cv2.imencode(suffix, picture)[1].reshape(-1)


@pytest.fixture(scope="module")
def frame():
    return photograph()


@pytest.fixture(scope="module")
def run(frame):
    def prepared(render=None, **changed):
        return prepare(
            **{
                "camera_frame": compressed(frame),
                "jacket_render": compressed(transparent_render() if render is None else render),
                "pose": NO_POSE,
                "client_mask": NO_MASK,
                "render_fit": "auto",
                "resolution": (256, 192),
                "conditioning": "composite",
            }
            | changed
        )

    return prepared


def test_the_tensors_have_their_shapes_and_types(run):
    tensors, _ = run()
    width, height = FRAME_SIZE
    found = {name: (tensor.shape, str(tensor.dtype)) for name, tensor in tensors.items()}
    assert found == {
        "composite": ((height, width, 3), "uint8"),
        "mask": ((height, width), "uint8"),
        "crop": ((4,), "int32"),
        "pixels": ((1, 3, 256, 192), "float32"),
        "latent_mask": ((1, 1, 32, 24), "float32"),
        "garment_map": ((1, 1), "uint8"),
        "scene": ((1, 11, 1, 1), "float32"),
        "scene_window": ((4,), "int32"),
    }


def test_the_network_is_asked_what_is_visible_and_takes_nothing_away(run):
    asked = []

    def nothing(planes):
        asked.append(planes)
        return np.zeros((*planes.shape[:3], 2), np.uint8)

    whole, _ = run(pose=landmarks())
    tensors, report = run(pose=landmarks(), networks=Networks(nothing, no_hand))
    assert report["mask_source"] == "alpha"
    assert len(asked) == 1
    assert np.array_equal(tensors["mask"], whole["mask"])


def test_the_composite_is_the_frame_outside_the_mask_and_the_render_inside(run, frame):
    tensors, _ = run()
    outside = tensors["mask"] == 0
    assert np.array_equal(tensors["composite"][outside], frame[outside])
    assert iou(tensors["mask"] > 127, outline()) > 0.97
    deep = cv2.erode(tensors["mask"], np.ones((9, 9), np.uint8)) == 255
    assert np.abs(tensors["composite"][deep].astype(int) - (200, 120, 20)).max() <= 1


def test_the_conditioning_image_is_added_if_the_checkpoint_wants_it(run):
    tensors, _ = run(conditioning="masked")
    picture, conditioning = tensors["pixels"]
    painted = tensors["latent_mask"][0, 0].repeat(8, axis=0).repeat(8, axis=1) > 0
    assert (conditioning[:, painted] == 0).all()
    assert np.array_equal(conditioning[:, ~painted], picture[:, ~painted])


def test_for_a_garment_with_a_picture_of_its_own_nothing_is_drawn_on_the_person(run, frame):
    tensors, _ = run(conditioning="person", framing="cover")
    assert np.array_equal(tensors["composite"], frame)
    assert not np.array_equal(tensors["drawn"], frame), "the render tells what the garment looks like"
    person, conditioning = tensors["pixels"]
    assert (conditioning == 0).all(axis=0).any()
    kept = (conditioning != 0).any(axis=0)
    assert np.array_equal(conditioning[:, kept], person[:, kept])
    blank = (conditioning == 0).all(axis=0)
    assert (tensors["latent_mask"][0, 0] == blank[::8, ::8]).mean() > 0.99
    assert tensors["crop"].tolist()[3] == frame.shape[0]


@pytest.mark.parametrize("pose", [NO_POSE, landmarks()])
def test_the_report_tells_source_fit_and_score(run, pose):
    _, report = run(pose=pose)
    assert report["mask_source"] == "alpha"
    assert report["mode_reason"] is None
    assert report["alignment"]["fit"].startswith("stretch")
    assert (report["alignment"]["score"] is None) == (pose is NO_POSE)


def test_an_opaque_render_is_masked_by_its_difference(run, frame):
    _, report = run(opaque_render(frame, (960, 540)))
    assert report["mask_source"] == "difference"


def test_a_clients_mask_cuts_the_render_out(run):
    white = 255 * outline((320, 240)).astype(np.uint8)
    flat = np.full((480, 640, 3), 90, np.uint8)
    tensors, report = run(flat, client_mask=compressed(white))
    assert report["mask_source"] == "client"
    assert iou(tensors["mask"] > 127, outline()) > 0.95


def test_without_a_garment_the_composite_is_the_frame(run, frame):
    tensors, report = run(np.zeros((90, 160, 4), np.uint8))
    assert report["mode_reason"] == "no_garment"
    assert np.array_equal(tensors["composite"], frame)
    assert not tensors["mask"].any()
    assert not tensors["latent_mask"].any()


def test_a_render_that_shows_neither_jacket_nor_video_cannot_be_used(run, frame):
    tensors, report = run(np.full((90, 160, 3), (20, 200, 90), np.uint8))
    assert report["mode_reason"] == "unusable_render"
    assert np.array_equal(tensors["composite"], frame)


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"render_fit": "tight"}, InvalidInput, "must be one of auto, stretch, contain, cover, body"),
        ({"camera_frame": np.zeros(9, np.uint8)}, NotAnImage, "camera_frame is not an image"),
        ({"jacket_render": np.zeros(0, np.uint8)}, NotAnImage, "jacket_render is not an image"),
        ({"client_mask": np.zeros(9, np.uint8)}, NotAnImage, "client_mask is not an image"),
    ],
)
def test_a_wrong_input_is_named(run, wrong, error, says):
    with pytest.raises(error, match=says):
        run(**wrong)


def standing():
    """A portrait of a person, the jacket on a landscape canvas, and the pose: the fits differ widely."""
    pose = from_points(json.loads((TRIALS / "portrait_pose.json").read_text())["landmarks"])
    canvas = cv2.imread(str(TRIALS / "portrait_canvas.png"), cv2.IMREAD_UNCHANGED)
    return np.fromfile(TRIALS / "portrait.jpg", np.uint8), canvas, pose


@pytest.mark.parametrize("render_fit", ["auto", "body"])
def test_a_lost_pose_moves_nothing(run, render_fit):
    """A transparent canvas was squeezed to a third of its width for one keyframe."""
    frame, canvas, body = standing()

    def lay(pose, earlier):
        return run(canvas, camera_frame=frame, pose=pose, render_fit=render_fit, earlier_laying=earlier)

    tracked, first = lay(body, "")
    lost, second = lay(NO_POSE, first["laying"])
    lost_again, third = lay(NO_POSE, second["laying"])
    assert first["alignment"]["fit"] != "stretch"
    assert {report["alignment"]["fit"] for report in (second, third)} == {first["alignment"]["fit"]}
    assert np.array_equal(lost["mask"], lost_again["mask"])
    assert iou(lost["mask"] > 127, tracked["mask"] > 127) > 0.95


def test_a_garment_that_was_corrected_stays_so(run):
    shifted = np.roll(transparent_render(), 24, axis=1)
    _, first = run(shifted, pose=landmarks())
    _, second = run(shifted, earlier_laying=first["laying"])
    assert "corrected" in first["alignment"]["fit"], "the scene needs a correction"
    assert second["alignment"]["fit"] == first["alignment"]["fit"]


def test_an_opaque_canvas_stays_on_the_body(run, frame):
    canvas = opaque_render(frame, (960, 540))
    tracked, first = run(canvas, pose=landmarks(), render_fit="body")
    lost, second = run(canvas, render_fit="body", earlier_laying=first["laying"])
    assert second["alignment"]["fit"] == "body"
    assert iou(lost["mask"] > 127, tracked["mask"] > 127) > 0.9


def test_another_size_another_fit_and_a_pose_forget_the_earlier_laying(run):
    frame, canvas, body = standing()
    _, first = run(canvas, camera_frame=frame, pose=body)
    for changed in (
        {"render": np.ascontiguousarray(canvas[::2, ::2]), "camera_frame": frame},
        {"render": canvas},
        {"render": canvas, "camera_frame": frame, "render_fit": "contain"},
    ):
        alone = run(**changed)[0]["mask"]
        assert np.array_equal(run(**changed, earlier_laying=first["laying"])[0]["mask"], alone)


def test_an_empty_canvas_has_no_laying(run):
    _, report = run(np.zeros((90, 160, 4), np.uint8))
    assert report["laying"] is None


def _hidden(report):
    """The report's occlusion as a picture, 0 to 255."""
    bytes_ = np.frombuffer(base64.b64decode(report["occlusion"]), np.uint8)
    return cv2.imdecode(bytes_, cv2.IMREAD_GRAYSCALE)


def test_a_transparent_canvas_is_hidden_by_head_and_hands_alone(run):
    pose = landmarks(_11=(0.60, 0.50), _13=(0.68, 0.75), _15=(0.5, 0.7), _17=(0.46, 0.68), _19=(0.45, 0.69))
    tensors, report = run(pose=pose, render_fit="stretch", occluded=True)
    hidden = _hidden(report)
    x, y, width, height = tensors["crop"]
    seen = cv2.resize(255 - hidden, (int(width), int(height)))[max(0, -y) : 480 - y, max(0, -x) : 640 - x]
    mask = tensors["mask"][max(0, y) : y + height, max(0, x) : x + width]
    drawn = 255 * outline()[max(0, y) : y + height, max(0, x) : x + width]
    assert hidden.max() == 255
    assert 0.001 < (hidden > 127).mean() < 0.4
    assert np.abs((drawn / 255 * seen)[:, :] - mask).mean() < 4


def test_where_nothing_hides_it_there_is_no_occlusion(run):
    assert run(occluded=True)[1]["occlusion"] is None
    assert "occlusion" not in run()[1]


def test_of_an_opaque_canvas_all_but_the_garment_is_hidden(run, frame):
    tensors, report = run(opaque_render(frame, FRAME_SIZE), occluded=True)
    x, y, width, height = tensors["crop"]
    seen = cv2.resize(255 - _hidden(report), (int(width), int(height)))
    seen = seen[max(0, -y) : 480 - y, max(0, -x) : 640 - x]
    mask = tensors["mask"][max(0, y) : y + height, max(0, x) : x + width]
    assert iou(seen > 127, mask > 127) > 0.97


def test_a_levelled_share_keeps_its_ends():
    ramp = np.tile(np.arange(256, dtype=np.uint8), (8, 1))
    back = _hidden({"occlusion": encode_share(ramp)})
    assert (back[0, 0], back[0, -1]) == (0, 255)
    assert np.abs(back.astype(int) - ramp).max() <= 64
