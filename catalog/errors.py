"""The errors of the catalog."""

from typing import Literal

Code = Literal["NOT_FOUND", "READ_ONLY", "INVALID_INPUT", "STORAGE", "UNAVAILABLE"]


class CatalogError(KeyError):
    """A fabric or texture does not exist, may not be changed, or cannot be read or stored.

    `code` is for programs and never changes its meaning; `message` is for people.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(code, message)
        self.code: Code = code
        self.message = message

    def __str__(self) -> str:
        return self.message
