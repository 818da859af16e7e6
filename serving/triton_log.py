"""What Triton's log says of its start: which models are loaded, and why it did not start.

That reason stands above many lines about Triton's own end.
"""

import re

# Errors that every machine without a GPU prints.
_HARMLESS = re.compile(r"CudaDriverHelper|NVML|DCGM|CUDA driver version", re.IGNORECASE)
_TRITON = re.compile(r"^[EF]\d{4} [\d:.]+ +\d+ [\w.]+:\d+\] +(.*)$")
_PROTOBUF = re.compile(r"^\[libprotobuf ERROR [^\]]*\] *(.*)$")
_OTHER = (
    re.compile(r"^error: (.*)$"),  # Triton's last line, and its command line's
    re.compile(r"^.*(?:error while loading shared libraries|terminate called|Segmentation fault).*$"),
    re.compile(r"^[\w.]*(?:Error|Exception): .*$"),  # the last line of a Python traceback
)
# After a Python error Triton adds where it was raised; the first place is the innermost one.
_RAISED_AT = re.compile(r"\s*At:\s*(\S+?\(\d+\))")

_LOADED = re.compile(r"successfully loaded '([^']+)'")


def loaded_models(log: str) -> list[str]:
    """The models that are loaded, in that order. An ensemble is loaded when all of its steps are."""
    return list(dict.fromkeys(_LOADED.findall(log)))


def first_cause(log: str) -> str | None:
    """The first error in one line; None if the log has none."""
    lines = log.splitlines()
    for index, line in enumerate(lines):
        if _HARMLESS.search(line):
            continue
        if found := _PROTOBUF.match(line):
            return _with_the_file(found[1], lines[index + 1 :])
        if found := _TRITON.match(line):
            return _one_line(found[1])
    matches = (pattern.match(line) for pattern in _OTHER for line in lines if not _HARMLESS.search(line))
    found = next((it for it in matches if it), None)
    return None if found is None else _one_line(found[found.lastindex or 0])


def _with_the_file(reason: str, following: list[str]) -> str:
    """A protobuf error says what is wrong, and the error after it in which file."""
    file = next((found[1] for line in following if (found := _TRITON.match(line))), "")
    return f"{_one_line(file)} ({_one_line(reason)})" if file else _one_line(reason)


def _one_line(text: str) -> str:
    """Triton's text without quotes, escapes and the traceback, but with the place that it names first."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    text = text.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
    reason, _, rest = text.partition("\n")
    reason = reason.strip().rstrip(":;. ")
    place = _RAISED_AT.match(rest)
    return f"{reason} (at {place[1]})" if place else reason
