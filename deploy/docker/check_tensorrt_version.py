"""Ends the image's build where TensorRT's Python package is not of the version of the image's libraries.

usage: check_tensorrt_version.py 10.15.1.29
"""

import ctypes
import sys


def main(wanted: str) -> str | None:
    """The fault in one sentence, or None."""
    major, minor, patch, *_ = (int(part) for part in wanted.split("."))
    try:
        library = ctypes.CDLL(f"libnvinfer.so.{major}")
    except OSError as error:
        return f"this image has no TensorRT {major} ({error}): set TENSORRT to its version"
    # getInferLibVersion: major * 10000 + minor * 100 + patch, since TensorRT 10.
    found = library.getInferLibVersion()
    if found != major * 10_000 + minor * 100 + patch:
        return (
            f"this image has TensorRT {found // 10_000}.{found // 100 % 100}.{found % 100}, and the Python "
            f"package is {wanted}: its engines would not load here; set TENSORRT to the image's version"
        )
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
