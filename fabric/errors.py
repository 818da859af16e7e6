"""Errors of a scan: a stable code, and a sentence that says what to do."""

from typing import Literal

import cv2

Code = Literal["IMAGE_DECODE", "INVALID_INPUT", "TOO_LARGE"]
_NO_MEMORY = -4  # cv::Error::StsNoMem


class FabricError(Exception):
    """A photo or an option that cannot be scanned.

    `code` is for programs and never changes its meaning; `message` is for people.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(code, message)  # both are arguments, so that a worker process can pickle the error
        self.code: Code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


def is_out_of_memory(error: Exception) -> bool:
    """Whether Python or OpenCV could not allocate what a photo needs."""
    return isinstance(error, MemoryError) or (isinstance(error, cv2.error) and error.code == _NO_MEMORY)


def out_of_memory() -> FabricError:
    return FabricError("TOO_LARGE", "the photo needs too much memory; send a smaller one")
