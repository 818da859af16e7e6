from importlib.metadata import version

import pytest

from serving.installed import installed_version


@pytest.mark.parametrize("package", ["numpy", "onnxruntime", "openvino"])
def test_it_is_the_version_that_pip_tells(package):
    assert installed_version(package) == version(package)


def test_a_package_that_is_missing_has_none(tmp_path, monkeypatch):
    """Nor has one that another distribution brings: onnxruntime-gpu's is named onnxruntime."""
    assert installed_version("ours") is None
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours_gpu-1.32.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert installed_version("ours") is None
    (tmp_path / "ours-1.2.3.dist-info").mkdir()
    assert installed_version("ours") == "1.2.3"
