"""Which number is which scene: its folder, and whether training or validation has it."""

# Raise it when the pictures change; readers can leave out those of older versions.
GENERATOR = 3
VALIDATION_EVERY = 8
# Only these know what shadows the jacket throws on the person: a fifth of the time that a geometry takes.
WORN_EVERY = 5


def split_of(number: int) -> str:
    return "validation" if number % VALIDATION_EVERY == VALIDATION_EVERY - 1 else "train"


def folder_name(number: int, view: int = 0) -> str:
    return f"{GENERATOR}-{number:06d}" + (f"-{view}" if view else "")
