"""Files that are there as a whole, or not at all."""

import errno
from pathlib import Path

import pytest
import torch

from training.files import whole


def test_a_file_is_there_when_all_of_it_is(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.pt"
    with whole(path) as file:
        file.write(b"state")
        assert not path.exists()
    assert path.read_bytes() == b"state"
    assert [it.name for it in path.parent.iterdir()] == ["state.pt"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, ValueError])
def test_what_ends_early_leaves_the_old_file(tmp_path: Path, end: type[BaseException]) -> None:
    path = tmp_path / "state.pt"
    path.write_bytes(b"old")

    def write() -> None:
        with whole(path) as file:
            file.write(b"new")
            raise end

    with pytest.raises(end):
        write()
    assert path.read_bytes() == b"old"
    assert [it.name for it in tmp_path.iterdir()] == ["state.pt"]


def test_a_full_disk_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's message was "unexpected pos 618368 vs 618256", in a traceback."""
    path, opened = tmp_path / "state.pt", Path.open

    # It takes what Python's buffer keeps, and then nothing more, as a full disk.
    monkeypatch.setattr(
        Path, "open", lambda self, mode: opened(Path("/dev/full") if mode == "wb" else self, mode)
    )
    with pytest.raises(OSError, match="No space left on device") as caught, whole(path) as file:
        torch.save({"weights": torch.zeros(100_000)}, file)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(path)
    assert not list(tmp_path.iterdir())
