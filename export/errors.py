"""The error of everything that ends an export."""


class ExportError(Exception):
    """The message says in one sentence why the export cannot go on, and what to do."""


def first_line(error: BaseException) -> str:
    """The first line of a library's error message; with the error's kind where that line says nothing."""
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    line = lines[0].strip().rstrip(".:")
    return f"{type(error).__name__}: {line}" if isinstance(error, LookupError) else line
