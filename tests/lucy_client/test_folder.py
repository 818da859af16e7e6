"""A folder of pictures as a batch."""

import json
from pathlib import Path

import pytest

from lucy_client.folder import FolderError, captures_of, pictures_of
from lucy_client.models import BatchLine
from lucy_client.pictures import data_uri, read, shared


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def test_every_person_wears_every_garment(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "people/anna.jpg",
        "people/ben.PNG",
        "garments/coat.webp",
        "renders/jacket.png",
        "people/notes.txt",
    )
    captures = captures_of(tmp_path, {"category": "tops"})
    assert [capture["custom_id"] for capture in captures] == [
        *("anna-coat", "anna-jacket", "ben-coat", "ben-jacket")
    ]
    assert captures[0]["garment_image"] == tmp_path / "garments/coat.webp"
    assert captures[1]["jacket_render"] == tmp_path / "renders/jacket.png"
    assert {capture["category"] for capture in captures} == {"tops"}
    named, images = shared(captures)
    assert len(images) == 4, "each picture is sent once"
    assert named[0]["user_image"] == named[1]["user_image"]
    assert images[named[0]["user_image"]] == data_uri(b"people/anna.jpg")


def test_a_list_names_its_files(tmp_path: Path) -> None:
    fill(tmp_path, "me.jpg", "coat.png")
    lines = [
        {"user_image": "me.jpg", "jacket_render": "coat.png", "seed": 7},
        {"custom_id": "inline", "user_image": data_uri(b"x"), "jacket_render": "coat.png"},
    ]
    (tmp_path / "captures.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    first, second = captures_of(tmp_path)
    assert (first["custom_id"], first["user_image"], first["seed"]) == ("1", tmp_path / "me.jpg", 7)
    assert read(second["user_image"]) == b"x"
    assert second["custom_id"] == "inline"


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (("people/a.jpg", "garments/coat.jpg", "renders/coat.png"), ["a-coat", "a-coat_2"]),
        (("people/a.jpg", "people/a.png", "renders/coat.png"), ["a-coat", "a-coat_2"]),
        (
            ("people/a.jpg", "people/a-b.jpg", "renders/c.png", "renders/b-c.png"),
            ["a-b-b-c", "a-b-c", "a-b-c_2", "a-c"],
        ),
        (
            ("people/a.jpg", "renders/x y.png", "renders/x_y.jpg", "renders/x_y_2.png"),
            ["a-x y", "a-x_y_3", "a-x_y_2"],
        ),
    ],
)
def test_no_two_captures_share_a_name(tmp_path: Path, names: tuple[str, ...], ids: list[str]) -> None:
    """One's picture replaced the other's."""
    fill(tmp_path, *names)
    assert [capture["custom_id"] for capture in captures_of(tmp_path)] == ids


def test_names_of_a_list_are_each_capture_s_own(tmp_path: Path) -> None:
    fill(tmp_path, "me.jpg")
    given = ["2", None, "x" * 200, "x" * 201, 7]
    lines = [json.dumps({"custom_id": it, "user_image": "me.jpg"}) for it in given]
    (tmp_path / "captures.jsonl").write_text("\n".join(lines))
    found = [capture["custom_id"] for capture in captures_of(tmp_path)]
    assert found == ["2", "2_2", "x" * 200, "x" * 120 + "_2", "7"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (None, "people/"),
        ("{", "line 1: not JSON"),
        ("7", "line 1: a JSON object"),
        ('{"user_image": "nobody.jpg"}', "line 1: there is no file"),
    ],
)
def test_a_folder_that_is_no_batch_says_why(tmp_path: Path, line: str | None, says: str) -> None:
    if line is not None:
        (tmp_path / "captures.jsonl").write_text(line)
    with pytest.raises(FolderError, match=says):
        captures_of(tmp_path)


def test_pictures_are_named_after_their_captures() -> None:
    images = [{"url": "http://lucy.test/results/a/0.png", "seed": 1}, {"url": "http://lucy.test/r/1.png"}]
    line = BatchLine(index=3, state="succeeded", custom_id="../anna coat", result={"images": images})
    assert [name for name, _ in pictures_of(line)] == [".._anna_coat-0.png", ".._anna_coat-1.png"]
    assert list(pictures_of(BatchLine(index=3, state="failed"))) == []
