"""Ends the build of the image if TensorRT's Python package has another version than the image's libraries.

usage: check_tensorrt_version.py 11.1.0.106
"""

import ctypes
import sys


def main(package: str) -> str | None:
    """The fault in one sentence, or None. package: the version of the Python package."""
    major, minor, patch, *_ = (int(part) for part in package.split("."))
    try:
        library = ctypes.CDLL(f"libnvinfer.so.{major}")
    except OSError as error:
        return f"this image has no TensorRT {major} ({error}): set TENSORRT to the image's version"
    # getInferLibVersion: major * 10000 + minor * 100 + patch, since TensorRT 10.
    found = library.getInferLibVersion()
    if found != major * 10_000 + minor * 100 + patch:
        return (
            f"this image has TensorRT {found // 10_000}.{found // 100 % 100}.{found % 100}, and the Python "
            f"package is {package}: its engines would not load here; set TENSORRT to the image's version"
        )
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
