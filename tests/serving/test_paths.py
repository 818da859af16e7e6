from pathlib import Path

import pytest

from serving.paths import path_fault


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
