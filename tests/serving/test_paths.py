from pathlib import Path

import pytest

from serving.paths import cache_folder, path_fault


@pytest.mark.parametrize("path", ["/opt/lucy-serve", "/home/me/a_b.c/1.2+3", "/x~y%z#@+,=w"])
def test_a_path_that_triton_serves_from(path):
    assert path_fault(Path(path)) is None


@pytest.mark.parametrize("character", " []()'\"$;&|*?!`\\:\tü")
def test_a_path_that_triton_does_not_serve_from_is_refused_in_one_sentence(character):
    """Triton passes the path to a shell without quotes: "a b" never became ready, and gave no error."""
    fault = path_fault(Path(f"/home/me/lucy{character}serve/model_repository"))
    assert repr(character) in fault
    assert "move the folder" in fault
    assert "\n" not in fault


@pytest.mark.parametrize(
    ("given", "expected"), [("/hub", "/hub"), ("", "/home/me/.cache"), (None, "/home/me/.cache")]
)
def test_the_cache_lies_where_the_specification_says(monkeypatch, given, expected):
    """An empty variable counts as none: the cache was in the working folder."""
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if given is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", given)
    assert cache_folder() == Path(expected) / "lucy-serve"
