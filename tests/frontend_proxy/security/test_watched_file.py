from pathlib import Path

import pytest

from frontend_proxy.security.watched_file import WatchedFile


def test_it_is_parsed_once_and_again_when_it_changes(tmp_path: Path) -> None:
    file, parsed = tmp_path / "numbers", []
    file.write_text("1")
    watched = WatchedFile(file, lambda text: parsed.append(text) or int(text))
    assert [watched.read(), watched.read()] == [1, 1]
    file.write_text("22")
    assert [watched.read(), watched.read()] == [22, 22]
    assert parsed == ["1", "22"]
    assert watched.version == 1


@pytest.mark.parametrize("harm", [lambda file: file.write_text("no number"), Path.unlink])
def test_a_file_that_breaks_later_keeps_its_last_content(tmp_path: Path, harm) -> None:
    """An editor that saves half a key set must not lock everybody out."""
    file = tmp_path / "numbers"
    file.write_text("1")
    watched = WatchedFile(file, int)
    harm(file)
    assert watched.read() == 1
    file.write_text("333")
    assert watched.read() == 333


def test_the_file_must_exist_and_be_valid_at_first(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        WatchedFile(tmp_path / "nothing", int)
    (tmp_path / "numbers").write_text("no number")
    with pytest.raises(ValueError, match="no number"):
        WatchedFile(tmp_path / "numbers", int)
