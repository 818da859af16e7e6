"""The render process, with a stand-in for Blender."""

import os
import signal
import sys
import types

import pytest

from tests.training.photographs.recorded import recorded_geometry
from training.photographs import __main__ as main
from training.photographs.numbering import folder_name


@pytest.fixture
def rendered(monkeypatch):
    """The numbers that were rendered."""
    numbers = []

    def render_geometry(number, quality, view):
        numbers.append(number if view == 0 else (number, view))
        if number == 2:
            raise ValueError("the jacket covers only 0.01 of the picture")
        if number == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return recorded_geometry()

    def quality(samples, threads, scale):
        return samples, threads, scale

    fakes = {
        "generator": types.SimpleNamespace(render_geometry=render_geometry, Quality=quality),
        "blender": types.SimpleNamespace(start=lambda threads: None),
    }
    package = sys.modules["training.photographs"]
    for name, fake in fakes.items():
        monkeypatch.setitem(sys.modules, f"training.photographs.{name}", fake)
        monkeypatch.setattr(package, name, fake, raising=False)
    before = signal.getsignal(signal.SIGTERM)
    yield numbers
    signal.signal(signal.SIGTERM, before)


def test_it_goes_on_where_it_was(tmp_path, rendered):
    main.render(tmp_path, range(4), 16, 1)
    assert rendered == [0, 1, 2, 3]
    assert sorted(path.name for path in (tmp_path / "train").glob("[!.]*")) == [
        folder_name(number) for number in (0, 1, 3)
    ]
    main.render(tmp_path, range(4), 16, 1)
    assert rendered == [0, 1, 2, 3]  # what was refused is not tried again, either


def test_it_finishes_its_geometry_when_it_is_stopped(tmp_path, rendered):
    main.render(tmp_path, range(3, 7), 16, 1)
    assert rendered == [3, 4]
    assert (tmp_path / "train" / folder_name(4) / "meta.json").exists()


def test_what_a_killed_process_left_is_removed(tmp_path, rendered):
    dead, alive = (
        tmp_path / "train" / ".2-000009.99999999.partial",
        tmp_path / "train" / f".2-8.{os.getpid()}.partial",
    )
    for path in (dead, alive):
        path.mkdir(parents=True)
    main.render(tmp_path, range(0), 16, 1)
    assert not dead.exists()
    assert alive.exists()


def test_a_person_is_seen_from_several_places(tmp_path, rendered):
    main.render(tmp_path, range(2), 16, 1, scale=0.5, views=2)
    assert rendered == [0, (0, 1), 1, (1, 1)]
    assert sorted(path.name for path in (tmp_path / "train").glob("[!.]*")) == [
        folder_name(0), folder_name(0, 1), folder_name(1), folder_name(1, 1),
    ]  # fmt: skip
