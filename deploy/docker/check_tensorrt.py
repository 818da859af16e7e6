"""Ends the build of the image if the export could not build engines in it.

It imports TensorRT as the export does, and compares the Python package with the image's libraries: engines of
another version would not load.
"""

import ctypes
import sys

from serving.tensorrt_package import import_tensorrt


def main() -> str | None:
    """The fault in one sentence, or None."""
    try:
        package = str(import_tensorrt().__version__)
        major, minor, patch, *_ = (int(part) for part in package.split("."))
        library = ctypes.CDLL(f"libnvinfer.so.{major}")
    except (ImportError, OSError) as error:
        return (
            f"the export cannot import TensorRT in this image ({error}): set TENSORRT to the image's version"
        )
    # getInferLibVersion: major * 10000 + minor * 100 + patch, since TensorRT 10.
    found = library.getInferLibVersion()
    if found != major * 10_000 + minor * 100 + patch:
        return (
            f"this image has TensorRT {found // 10_000}.{found // 100 % 100}.{found % 100}, and the Python "
            f"package is {package}: its engines would not load here; set TENSORRT to the image's version"
        )
    return None


if __name__ == "__main__":
    sys.exit(main())
