import ctypes

import pytest

from deploy.docker.check_tensorrt_version import main


class Library:
    def __init__(self, version):
        self._version = version

    def getInferLibVersion(self):
        return self._version


@pytest.mark.parametrize(
    ("found", "expected"), [(110100, None), (101501, "this image has TensorRT 10.15.1"), (110000, "11.0.0")]
)
def test_the_package_must_have_the_librarys_version(monkeypatch, found, expected):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library(found))
    fault = main("11.1.0.106")
    assert fault is None if expected is None else expected in fault


def test_an_image_without_that_tensorrt_is_reported(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: (_ for _ in ()).throw(OSError(f"{name}: not found")))
    assert "no TensorRT 11" in main("11.1.0.106")
