"""Finds the points of a body in whatever a client sends as `pose`.

The contract's shape is `{"landmarks": [{"x", "y", "z", "visibility"}, …]}`. But every app serializes its
tracker's result in its own way: points as arrays, a list alone, numbers as text, keys with capitals, JSON in
a string. This module reads all of these; `trackers.py` decides which point is which.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from frontend_proxy.parsing import parse_json

# Keys, without case and underscores, under which libraries keep the points, or a list of persons.
_CONTAINERS = (
    *("landmarks", "poselandmarks", "normalizedlandmarks", "keypoints", "posekeypoints2d", "keypoints2d"),
    *("landmark", "points", "joints", "pose", "poses", "people", "persons", "results", "multiposelandmarks"),
    *("result", "skeleton", "body", "data"),
)
_POSITIONS = ("position", "point", "location", "coordinates", "position3d")
_VISIBILITIES = ("visibility", "score", "confidence", "likelihood", "inframelikelihood", "presence")
_NAMES = ("name", "part", "bodypart", "label", "landmarktype", "type", "id")
_WIDTHS = (2, 3, 4, 5)  # numbers of a point in an array: x, y; with z or a score; with both; with presence
# Numbers of a point in a list of numbers without structure, by the length of the list.
_FLAT_WIDTHS = {
    points * width: width
    for width, counts in ((2, (17, 18, 33)), (4, (33,)), (5, (33, 39)), (3, (17, 18, 25, 33)))
    for points in counts
}
_DEPTH = 8  # of lists and objects around the points
_MAX_NUMBER_TEXT = 40
# Characters of all texts in a pose: they are parsed on the event loop, and again for each text around them.
# Body, hands and face together have about 60,000.
_MAX_TEXT = 2**18
_MAX_KEY = 60  # characters; longer keys mean nothing here
_NO_TEXTS = ("", "null", "undefined")


@dataclass(frozen=True)
class Mark:
    """A point as the client sent it. None: the number is null, or is no number.

    name: the joint's name, if the client gave one.
    third: whether `z` is the third of three numbers, which is a score in some trackers.
    """

    x: float | None = None
    y: float | None = None
    z: float | None = 0.0
    visibility: float | None = 1.0
    name: str | None = None
    third: bool = False


NO_MARK = Mark(None, None, None, None)


def find_marks(pose: object) -> list[Mark] | None:
    """The points in `pose`: an empty list if it says that there are none, None if it is not understood."""
    if not _is_short(pose):
        return None
    found = _find(pose, 0)
    if found is None:
        return [] if _is_empty(_from_text(pose)) else None
    return _in_order(found)


def _is_short(pose: object) -> bool:
    """Whether its texts have at most `_MAX_TEXT` characters."""
    size, rest = 0, [pose]
    while rest and size <= _MAX_TEXT:
        item = rest.pop()
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, Mapping):
            rest += item.values()
        elif isinstance(item, list | tuple):
            rest += item
    return size <= _MAX_TEXT


def _is_empty(pose: object) -> bool:
    """Whether `pose` says that nobody is tracked: null, or nothing but numbers such as the rotation."""
    if isinstance(pose, str):
        return pose.strip() in _NO_TEXTS
    if isinstance(pose, Mapping):
        return not any(isinstance(value, list | tuple | Mapping) or _text(value) for value in pose.values())
    return pose is None or (isinstance(pose, list | tuple) and not pose)


def compact(key: object) -> str:
    """`poseLandmarks`, `pose_landmarks` and `Pose Landmarks` are the same key."""
    return _compact(str(key)[:_MAX_KEY])


@lru_cache(1024)  # the same few keys come with every point of every keyframe
def _compact(key: str) -> str:
    return re.sub(r"[\W_]", "", key).lower()


def _find(value: object, depth: int) -> list[Mark] | None:
    if depth > _DEPTH:
        return None
    if isinstance(value, str):
        return _find(_from_text(value), depth + 1) if _is_json(value) else None
    if isinstance(value, Mapping):
        return _find_in_object(value, depth)
    if isinstance(value, list | tuple):
        return _find_in_list(value, depth)
    return None


def _is_json(text: str) -> bool:
    return text.lstrip().startswith(("[", "{", '"'))


def _from_text(value: object) -> object:
    """The value of JSON in a text; other values, and texts that are no JSON, as they are."""
    try:
        return parse_json(value) if isinstance(value, str) and _is_json(value) else value
    except ValueError:
        return value


def _find_in_object(value: Mapping[Any, Any], depth: int) -> list[Mark] | None:
    if (numbered := _numbered(value)) is not None:
        return _find_in_list(numbered, depth)
    by_key = {compact(key): item for key, item in value.items()}
    nothing: list[Mark] | None = None
    for key in _CONTAINERS:
        found = _find(by_key.get(key), depth + 1)
        if found:
            return found
        nothing = found if nothing is None else nothing
    named = [(key, item) for key, item in value.items() if _is_point(item)]
    if len(named) > 1:
        return [_mark(item, str(key)) for key, item in named]
    return nothing


def _find_in_list(value: Sequence[Any], depth: int) -> list[Mark] | None:
    if all(item is None for item in value):
        return [NO_MARK for _ in value]
    if all(item is None or _is_number(item) for item in value):
        width = _FLAT_WIDTHS.get(len(value))
        if width is None:
            return None
        return [_mark(value[start : start + width]) for start in range(0, len(value), width)]
    if any(_is_point(item) for item in value):
        return [_mark(item) for item in value]
    nothing: list[Mark] | None = None
    for item in value:  # persons, or one more list around the points
        found = _find(item, depth + 1)
        if found:
            return found
        nothing = found if nothing is None else nothing
    return nothing


def _numbered(value: Mapping[Any, Any]) -> list[Any] | None:
    """The list that an object with numbers for keys stands for; None for other objects."""
    if "x" in value:
        return None
    keys = [str(key) for key in value]
    if not keys or not all(key.isascii() and key.isdigit() and len(key) <= 3 for key in keys):
        return None
    by_number = {int(key): item for key, item in zip(keys, value.values(), strict=True)}
    return [by_number.get(number) for number in range(min(by_number), max(by_number) + 1)]


def _is_point(value: object, alone: bool = True) -> bool:
    """alone: whether it may hold its coordinates in an object of their own, such as `position`."""
    if isinstance(value, Mapping):
        if "x" in value:  # most are so
            return True
        fields = {compact(key): item for key, item in value.items()}
        if fields.keys() & {"x", "y"}:
            return True
        if alone and any(_is_point(fields.get(key), alone=False) for key in _POSITIONS):
            return True
        value = _numbered(value)
    return (
        isinstance(value, list | tuple)
        and len(value) in _WIDTHS
        and any(_is_number(item) for item in value)
        and all(item is None or _is_number(item) for item in value)
    )


def _mark(value: object, name: str | None = None) -> Mark:
    """NO_MARK if `value` is no point."""
    if isinstance(value, Mapping) and (numbered := _numbered(value)) is not None:
        value = numbered
    if isinstance(value, list | tuple) and _is_point(value):
        x, y, *more = (_number(item) for item in value)
        z = more[0] if more else 0.0
        visibility = more[1] if len(more) > 1 else 1.0
        return Mark(x, y, z, visibility, name, third=len(more) == 1)
    if not isinstance(value, Mapping):
        return NO_MARK
    fields = {compact(key): item for key, item in value.items()}
    visibility = next((_number(fields[key]) for key in _VISIBILITIES if key in fields), 1.0)
    name = name or next((text for key in _NAMES if (text := _text(fields.get(key)))), None)
    places = [fields[key] for key in _POSITIONS if _is_point(fields.get(key), alone=False)]
    if places and not fields.keys() & {"x", "y"}:
        inner = _mark(places[0])
        known = any(key in fields for key in _VISIBILITIES)
        return Mark(inner.x, inner.y, inner.z, visibility if known else inner.visibility, name)
    x, y = (_number(fields.get(axis)) for axis in "xy")
    return Mark(x, y, _number(fields["z"]) if "z" in fields else 0.0, visibility, name)


def _in_order(marks: list[Mark]) -> list[Mark]:
    """`marks` without the number of each point, where arrays begin with it: [0, x, y, …], [1, x, y, …], …"""
    if len(marks) > 4 and all(mark.third and mark.x == number for number, mark in enumerate(marks)):
        return [Mark(mark.y, mark.z) for mark in marks]
    return marks


def _text(value: object) -> str | None:
    """A text that is neither empty nor a number."""
    return value if isinstance(value, str) and value and not _is_number(value) else None


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return _number(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: object) -> float | None:
    """None for what is no number. Text is one too, also with a decimal comma or a per cent sign."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and len(value) > _MAX_NUMBER_TEXT:
        return None
    try:
        return float(value.strip().rstrip("%").replace(",", ".") if isinstance(value, str) else value)
    except ValueError:
        return None
    except OverflowError:  # an integer of more than 308 digits
        return math.inf


def numbers(marks: Iterable[Mark]) -> list[tuple[float | None, ...]]:
    """(x, y, z, visibility) of each."""
    return [(mark.x, mark.y, mark.z, mark.visibility) for mark in marks]
