import pytest

from export.errors import ExportError
from families.sd_inpainting.recipes import recipes


@pytest.mark.parametrize("size", [[96, 64], (96, 64)])
def test_a_pair_is_height_and_width(tmp_path, size):
    assert recipes(tmp_path, size).resolution == (768, 512)


@pytest.mark.parametrize("size", [4, [1, 2, 3], "large", None])
def test_a_size_without_a_default_is_named(tmp_path, size):
    with pytest.raises(ExportError, match=r"its UNet's sample_size is .*write a pipeline\.json"):
        recipes(tmp_path, size)
