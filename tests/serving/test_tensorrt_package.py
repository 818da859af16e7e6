"""The image's bindings have another name than the package that everyone imports; no machine here has them."""

import subprocess
import sys

import pytest

from serving.tensorrt_package import import_tensorrt, tensorrt_version


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Makes packages importable, and forgets them afterwards."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(name, code="__version__ = '11.1.0.106'\n"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(code)
        monkeypatch.delitem(sys.modules, name, raising=False)

    yield install
    for name in ("tensorrt", "tensorrt_bindings"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", ["tensorrt", "tensorrt_bindings"])
def test_either_name_serves(installed, name):
    installed(name)
    assert import_tensorrt().__name__ == name
    assert tensorrt_version() == "11.1.0.106"


def test_the_whole_package_comes_first_since_it_loads_its_libraries(installed):
    installed("tensorrt_bindings")
    installed("tensorrt")
    assert import_tensorrt().__name__ == "tensorrt"


def test_what_is_missing_is_named(installed):
    installed("tensorrt_bindings", "raise ImportError('libnvinfer.so.11: cannot open shared object file')\n")
    with pytest.raises(ImportError, match=r"No module named 'tensorrt'.*libnvinfer\.so\.11"):
        import_tensorrt()
    assert tensorrt_version() is None


def test_the_doctor_and_the_export_need_no_torch_for_it():
    code = "import sys, serving.tensorrt_package; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
