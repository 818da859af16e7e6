"""The dataset: its layout, what the checker says, variants that keep the truth, and the split by people."""

import os
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from families.sd_inpainting.recipes import default_config
from frontend_proxy.settings import Settings
from tests.training.finetune.datasets import SIZE, write_dataset, write_pose, write_row
from training.finetune import checker
from training.finetune.augmentation import Shot, cut, exposed, mirrored, varied
from training.finetune.checker import check
from training.finetune.examples import Preparation, read_shot
from training.finetune.rows import Row, data_digest, find_rows
from training.finetune.split import split

HEIGHT, WIDTH = SIZE
RENDERED = Preparation(default_config(8).model_copy(update={"conditioning": "composite"}), with_scene=False)


def faults_of(folder):
    return [str(fault) for fault in check(find_rows(folder), RENDERED)]


def test_rows_lie_in_folders_of_their_own_or_in_their_persons(tmp_path):
    write_row(tmp_path / "single", 1)
    write_row(tmp_path / "anna" / "one", 2)
    write_row(tmp_path / "anna" / "two", 3)
    write_row(tmp_path / ".unfinished-x", 4)
    rows = find_rows(tmp_path)
    assert [row.name for row in rows] == ["anna/one", "anna/two", "single"]
    assert [row.person for row in rows[:2]] == ["anna", "anna"]
    assert rows[2].person not in ("", "anna")


def test_folders_that_programs_leave_are_no_rows(tmp_path):
    for name in ("row", "anna/row"):
        row = write_row(tmp_path / name)
        for left in (".ipynb_checkpoints", "@eaDir"):
            (row / left).mkdir()
    for left in (".ipynb_checkpoints", "@eaDir", "#recycle", "__MACOSX", "$RECYCLE.BIN", "lost+found"):
        for folder in (tmp_path, tmp_path / "anna"):
            (folder / left).mkdir()
    assert [row.name for row in find_rows(tmp_path)] == ["anna/row", "row"]


def test_names_may_be_in_capitals(tmp_path):
    """As cameras and Windows write them; a mask that is not found would be none."""
    row = write_row(tmp_path / "row", mask=np.full((HEIGHT, WIDTH), 255, np.uint8))
    (row / "caption.txt").write_text("a jacket")
    write_pose(row, 33 * [{"x": 0.5, "y": 0.5, "z": 0.0, "visibility": 1.0}])
    paths = sorted(row.iterdir())
    for path in paths:
        path.rename(row / path.name.upper())
    [found] = find_rows(tmp_path)
    assert {found.path(name).name for name in ("person", "photo", "render", "mask")} == {
        path.name.upper() for path in paths if path.suffix == ".png"
    }
    assert found.caption == "a jacket"
    assert found.pose[0, 3] == 1
    assert faults_of(tmp_path) == []


def test_the_same_picture_of_a_person_is_the_same_person(tmp_path):
    one = write_row(tmp_path / "one", 1)
    other = write_row(tmp_path / "other", 2)
    shutil.copy(one / "person.png", other / "person.png")
    assert len({row.person for row in find_rows(tmp_path)}) == 1


def test_any_change_of_the_data_changes_its_digest(tmp_path):
    write_dataset(tmp_path / "data")
    before = data_digest(find_rows(tmp_path / "data"))
    assert data_digest(find_rows(tmp_path / "data")) == before
    (tmp_path / "data" / "row-0" / "caption.txt").write_text("another")
    assert data_digest(find_rows(tmp_path / "data")) != before


def test_what_training_does_not_read_is_not_in_the_digest(tmp_path):
    row = write_row(tmp_path / "row")
    before = data_digest(find_rows(tmp_path))
    for name in (".DS_Store", "Thumbs.db", "notes.txt", "photo.txt"):
        (row / name).write_text("of a file manager")
    assert data_digest(find_rows(tmp_path)) == before
    for name in ("garment.jpg", "row.json", "pose.json"):
        (row / name).write_text("is read")
        assert data_digest(find_rows(tmp_path)) != before
        (row / name).unlink()


def test_names_may_be_of_any_bytes(tmp_path):
    """As on a share whose names are not in UTF-8."""
    dataset = write_dataset(tmp_path / "data", 1)
    (dataset / "row-0").rename(os.fsdecode(os.fsencode(dataset / "r") + b"\xf6we"))
    [row] = find_rows(dataset)
    assert len(data_digest([row])) == 64


@pytest.mark.parametrize("dataset", ["missing", "empty"])
def test_a_folder_without_rows_is_refused(tmp_path, dataset):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=dataset):
        find_rows(tmp_path / dataset)


def test_nothing_is_wrong_with_good_rows(tmp_path):
    assert faults_of(write_dataset(tmp_path / "data")) == []


WHOLE = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
OPAQUE = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
NOTHING = np.zeros((HEIGHT, WIDTH, 4), np.uint8)


@pytest.mark.parametrize(
    ("pictures", "what"),
    [
        ({"person": None}, "it has no person.jpg"),
        ({"photo": None}, "it has no photo.jpg"),
        ({"render": None}, "it has no render.png"),
        ({"photo": np.zeros((50, 90, 3), np.uint8)}, "no pictures of one shot"),
        ({"photo": OPAQUE[:, :, :3] * 0 + 255}, "another shot"),
        ({"render": NOTHING}, "no garment is found"),
        ({"render": WHOLE}, "no garment is found"),
        ({"mask": np.zeros((HEIGHT, WIDTH), np.uint8)}, "no garment is found"),
    ],
)
def test_each_fault_is_told_with_its_row(tmp_path, pictures, what):
    write_row(tmp_path / "good", 1)
    write_row(tmp_path / "bad", 2, **pictures)
    [fault] = faults_of(tmp_path)
    assert fault.startswith("bad: ")
    assert what in fault


def test_broken_files_and_poses_are_told(tmp_path):
    row = write_row(tmp_path / "broken", 1)
    (row / "render.png").write_bytes(b"no picture")
    assert faults_of(tmp_path) == ["broken: its render cannot be decoded"]
    row = write_row(tmp_path / "posed", 2)
    write_pose(row, [{"x": 0.5, "y": 0.5, "z": 0.0, "visibility": 1.0}])
    assert "posed: pose.json has 1 landmarks instead of 33" in faults_of(tmp_path)


def test_a_caption_is_in_utf_8(tmp_path):
    row = write_row(tmp_path / "row", 1)
    (row / "caption.txt").write_bytes("une veste dorée".encode("latin-1"))
    [fault] = faults_of(tmp_path)
    assert fault.startswith("row: caption.txt is not in UTF-8")
    # Windows' editors begin with a mark.
    (row / "caption.txt").write_bytes("une veste dorée".encode("utf-8-sig"))
    assert find_rows(tmp_path)[0].caption == "une veste dorée"


def test_pictures_that_a_server_refuses_are_told(tmp_path, monkeypatch):
    settings = Settings(_env_file=None)
    assert (checker.MOST_BYTES, checker.MOST_PIXELS) == (settings.max_image_bytes, settings.max_image_pixels)
    row = write_row(tmp_path / "row")
    size = (row / "person.png").stat().st_size
    monkeypatch.setattr(checker, "MOST_BYTES", size - 1)
    assert faults_of(tmp_path)[0].startswith(
        f"row: its person has {size} bytes, and a server takes {size - 1}"
    )
    monkeypatch.setattr(checker, "MOST_BYTES", 2 * size)
    monkeypatch.setattr(checker, "MOST_PIXELS", HEIGHT * WIDTH - 1)
    # The photo is sent nowhere.
    assert [fault.split(",")[0] for fault in faults_of(tmp_path)] == [
        f"row: its {name} has {WIDTH} × {HEIGHT} pixels" for name in ("person", "render")
    ]


def test_a_photo_without_the_garment_and_one_of_another_are_told(tmp_path):
    row = write_row(tmp_path / "plain", 1)
    shutil.copy(row / "person.png", row / "photo.png")
    assert "nobody wears the garment" in faults_of(tmp_path)[0]
    shutil.rmtree(row)
    row = write_row(tmp_path / "swapped", 2)
    photo = cv2.imread(str(row / "photo.png"))
    photo[32:60, 24:72], photo[60:92, 24:72] = (255, 0, 0), (0, 255, 0)
    cv2.imwrite(str(row / "photo.png"), photo)
    assert "another garment" in faults_of(tmp_path)[0]


def test_two_rows_with_one_photo_are_told(tmp_path):
    row = write_row(tmp_path / "one", 1)
    shutil.copytree(row, tmp_path / "two")
    assert faults_of(tmp_path) == ["two: its photo is the very file of one's"]


def a_shot(pose=True):
    rng = np.random.default_rng(0)
    person, photo = rng.integers(0, 200, (2, 40, 60, 3), dtype=np.uint8)
    render = rng.integers(0, 256, (40, 60, 4), dtype=np.uint8)
    landmarks = rng.random((33, 4)).astype(np.float32) if pose else np.zeros((33, 4), np.float32)
    return Shot(person, photo, render, None, render[..., 3], landmarks)


def test_a_mirrored_person_has_left_and_right_exchanged():
    shot = a_shot()
    once = mirrored(shot)
    assert (once.photo == shot.photo[:, ::-1]).all()
    left, right = 11, 12
    assert np.allclose(once.pose[left, 0], 1 - shot.pose[right, 0])
    twice = mirrored(once)
    assert (twice.render == shot.render).all()
    assert np.allclose(twice.pose, shot.pose)


def test_another_exposure_is_of_person_and_photo_and_not_of_the_render():
    shot = a_shot()
    darker = exposed(shot, np.array([0.5, 0.5, 0.5]))
    assert (darker.render == shot.render).all()
    for name in ("person", "photo"):
        assert getattr(darker, name).mean() < getattr(shot, name).mean()
    same = exposed(shot, np.ones(3))
    assert np.abs(same.photo.astype(int) - shot.photo).max() <= 1
    white = replace(shot, photo=np.full_like(shot.photo, 255))
    assert exposed(white, np.full(3, 0.5)).photo.min() == 255, "nobody knows how bright it was"


def test_a_cut_keeps_the_pose_where_it_was():
    shot = a_shot()
    smaller = cut(shot, 0.1, 0.0, 0.0, 0.05)
    assert smaller.person.shape[:2] == (38, 54)
    for found, before in zip(smaller.pose, shot.pose, strict=True):
        in_pixels = found[:3] * (54, 38, 54)  # depth is in widths, too
        assert in_pixels == pytest.approx(before[:3] * (60, 40, 60) - (6, 0, 0), abs=1e-4)
    assert (smaller.render == shot.render[:38, 6:]).all()


def test_variants_differ_and_repeat_with_the_seed():
    shot = a_shot(pose=False)
    one, other, again = (varied(shot, np.random.default_rng(seed)) for seed in (1, 2, 1))
    assert one.photo.shape != other.photo.shape or (one.photo != other.photo).any()
    assert (one.photo == again.photo).all()


def test_a_photo_of_another_size_is_resized(tmp_path):
    row = write_row(tmp_path / "row", 1, photo=np.full((HEIGHT * 2, WIDTH * 2, 3), 100, np.uint8))
    assert read_shot(Row(row, "row")).photo.shape == (HEIGHT, WIDTH, 3)


def test_nobody_is_both_trained_and_measured(tmp_path):
    for person in range(5):
        for number in range(3):
            write_row(tmp_path / f"person-{person}" / f"row-{number}", 10 * person + number)
    rows = find_rows(tmp_path)
    parted = split(rows, 0.2)
    trained, measured = ({row.person for row in side} for side in (parted.training, parted.validation))
    assert not trained & measured
    assert len(measured) == 1
    assert len(parted.training) + len(parted.validation) == len(rows)
    assert split(rows, 0.2) == parted
    assert any(split(rows, 0.2, seed).validation != parted.validation for seed in range(1, 6))
    with pytest.raises(ValueError, match="one person"):
        split([row for row in rows if row.person == "person-0"] * 2, 0.2)
    with pytest.raises(ValueError, match="needs 4"):
        split(rows[:3], 0.2)
