import ctypes
import sys
from types import SimpleNamespace

import pytest

from deploy.docker.check_tensorrt import main


class Library:
    def __init__(self, version):
        self._version = version

    def getInferLibVersion(self):
        return self._version


@pytest.fixture
def bindings(monkeypatch):
    """The image's package, whose name is not `tensorrt`."""
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    package = SimpleNamespace(__version__="11.1.0.106")
    monkeypatch.setitem(sys.modules, "tensorrt_bindings", package)


@pytest.mark.parametrize(
    ("found", "expected"), [(110100, None), (101501, "this image has TensorRT 10.15.1"), (110000, "11.0.0")]
)
def test_the_package_must_have_the_librarys_version(bindings, monkeypatch, found, expected):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library(found))
    fault = main()
    assert fault is None if expected is None else expected in fault


def test_an_image_without_that_library_is_reported(bindings, monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: (_ for _ in ()).throw(OSError(f"{name}: not found")))
    assert "libnvinfer.so.11: not found" in main()


def test_a_package_that_the_export_cannot_import_is_reported(monkeypatch):
    """The check once compared versions of files alone, and the export of that image ended without engines."""
    for name in ("tensorrt", "tensorrt_bindings"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "the export cannot import TensorRT" in main()
