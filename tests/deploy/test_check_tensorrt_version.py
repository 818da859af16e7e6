import ctypes

import pytest

from deploy.docker.check_tensorrt_version import main


class Library:
    def __init__(self, version):
        self._version = version

    def getInferLibVersion(self):
        return self._version


@pytest.mark.parametrize(
    ("found", "said"), [(101501, None), (101401, "this image has TensorRT 10.14.1"), (110000, "11.0.0")]
)
def test_the_package_must_be_of_the_librarys_version(monkeypatch, found, said):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library(found))
    fault = main("10.15.1.29")
    assert fault is None if said is None else said in fault


def test_an_image_without_that_tensorrt_is_said_so(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: (_ for _ in ()).throw(OSError(f"{name}: not found")))
    assert "no TensorRT 10" in main("10.15.1.29")
