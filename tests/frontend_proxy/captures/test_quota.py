from pathlib import Path

import pytest

from frontend_proxy.captures.quota import Quota
from frontend_proxy.errors import InsufficientStorage


def write(folder: Path, name: str, size: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(bytes(size))
    return folder / name


def test_stored_and_added_bytes_count(tmp_path: Path) -> None:
    write(tmp_path / "results" / "one", "0.png", 400)
    quota = Quota(tmp_path / "results", 1000)
    quota.check()
    quota.add(599)
    quota.check()
    quota.add(1)
    with pytest.raises(InsufficientStorage):
        quota.check()


def test_changes_by_others_are_seen_at_the_next_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("frontend_proxy.captures.quota.time.monotonic", lambda: now)
    quota = Quota(tmp_path, 1000)
    quota.check()
    another = write(tmp_path / "two", "0.png", 1000)
    quota.check()
    now += 10
    with pytest.raises(InsufficientStorage):
        quota.check()
    another.unlink()
    now += 10
    quota.check()


def test_a_missing_folder_is_empty_and_links_are_not_followed(tmp_path: Path) -> None:
    Quota(tmp_path / "none", 1).check()
    write(tmp_path / "elsewhere", "film", 5000)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "link").symlink_to(tmp_path / "elsewhere")
    Quota(tmp_path / "results", 1000).check()
