"""What a scan refuses, as a stable code and a sentence that says what to do."""

from typing import Literal

Code = Literal["IMAGE_DECODE", "INVALID_INPUT", "TOO_LARGE"]


class FabricError(Exception):
    """A photo or an option that cannot be scanned.

    `code` is for programs and never changes its meaning; `message` is for people.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(code, message)  # both in args, so that it survives pickling out of a worker
        self.code: Code = code
        self.message = message

    def __str__(self) -> str:
        return self.message
