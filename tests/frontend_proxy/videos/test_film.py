"""Films that the worker process reads and writes, in this process."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from frontend_proxy.errors import ImageTooLarge, InsufficientStorage
from frontend_proxy.videos import film
from frontend_proxy.videos.clip import PICTURES_A_SECOND, Clip, Limits
from tests import films

CHUNK, COUNT = 3, 9
LIMITS = Limits(seconds=5, pixels=2_100_000, jobs=2)


def begun(folder: Path) -> Path:
    folder.mkdir()
    films.write(folder / "clip.mp4", films.frames(COUNT)).rename(folder / film.VIDEO)
    films.write(folder / "clip.mp4", films.frames(COUNT)).rename(folder / film.LAYER)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield begun(tmp_path / "film")
    for job in tmp_path.iterdir():
        film.end(job)


def dress(folder: Path, start: int) -> None:
    film.dress(folder, LIMITS, start, [None] * CHUNK, [], folder / "film.mp4", start + CHUNK == COUNT)


def open_files(folder: Path) -> list[Path]:
    files = [Path(os.readlink(it)) for it in Path("/proc/self/fd").iterdir() if it.is_symlink()]
    return [file for file in files if folder in file.parents]


def test_frames_are_written_chunk_by_chunk(folder: Path) -> None:
    for start in range(0, COUNT, CHUNK):
        dress(folder, start)
    assert len(films.read(folder / "film.mp4")) == COUNT
    assert open_files(folder) == []


def test_a_film_whose_beginning_is_lost_is_written_again(folder: Path) -> None:
    """The rest alone was taken for the whole film after the process had been restarted."""
    dress(folder, 0)
    film.end(folder)
    with pytest.raises(film.Restarted):
        dress(folder, CHUNK)
    for start in range(0, COUNT, CHUNK):
        dress(folder, start)
    assert len(films.read(folder / "film.mp4")) == COUNT


def test_only_so_many_jobs_are_open_and_the_others_are_closed(folder: Path, tmp_path: Path) -> None:
    dress(folder, 0)
    assert open_files(folder)
    for name in ("second", "third"):
        dress(begun(tmp_path / name), 0)
    assert open_files(folder) == []
    with pytest.raises(film.Restarted):
        dress(folder, CHUNK)


def test_a_film_has_only_so_many_pictures(tmp_path: Path) -> None:
    """In the 64 MiB of a request there are millions of tiny ones, all of them between two of the clip's."""
    path = films.write_at(tmp_path / "many.webm", [n / 1000 for n in range(200)])
    assert len(list(Clip(path, "layer", Limits(200 / PICTURES_A_SECOND, 10**6, 1)).pictures())) == 200
    with pytest.raises(ImageTooLarge, match="layer has more than 199 pictures"):
        list(Clip(path, "layer", Limits(199 / PICTURES_A_SECOND, 10**6, 1)).pictures())
    path = films.write(tmp_path / "many.mp4", films.frames(COUNT), rate=2 * PICTURES_A_SECOND)
    with pytest.raises(ImageTooLarge, match="video has more than 8 pictures"):  # by its header
        Clip(path, "video", Limits(8 / PICTURES_A_SECOND, 10**6, 1)).info()


@pytest.mark.parametrize(
    ("times", "kept"),
    [
        ([0, 0.1, 0.1, 0.2], [0, 0.1, 0.2]),
        ([0, 0.1, 0.2, 0.1, 0.3], [0, 0.1, 0.2, 0.3]),
        ([0, *([0.1] * 50)], [0, 0.1]),
    ],
)
def test_a_picture_that_is_not_later_than_the_last_one_is_left_out(
    tmp_path: Path, times: list[float], kept: list[float]
) -> None:
    """The encoder failed on it."""
    folder = tmp_path / "film"
    folder.mkdir()
    for name in (film.VIDEO, film.LAYER):
        films.write_at(tmp_path / "clip.webm", times).rename(folder / name)
    found = film.stills(folder, LIMITS, 0, len(times) + 1, whole=False)
    assert [still.seconds for still in found] == pytest.approx(kept)
    film.dress(folder, LIMITS, 0, [None] * len(kept), [], folder / "film.mp4", last=True)
    assert len(films.read(folder / "film.mp4")) == len(kept)


def test_a_film_that_finds_the_disk_full_is_closed(folder: Path) -> None:
    (folder / "film.mp4.part").symlink_to("/dev/full")
    dress(folder, 0)
    dress(folder, CHUNK)
    with pytest.raises(InsufficientStorage, match="No space left"):
        dress(folder, 2 * CHUNK)
    film.end(folder)
    assert open_files(folder) == []


def test_a_cancelled_job_leaves_nothing_open(folder: Path) -> None:
    film.stills(folder, LIMITS, 0, CHUNK, whole=False)
    dress(folder, 0)
    for file in folder.iterdir():  # as the end of its job does
        file.unlink()
    film.end(folder)
    assert open_files(folder) == []
