"""Jobs as bytes (MessagePack) for the queue between processes.

Proxies of different versions share the queue during an upgrade. A writer leaves out fields that have their
default. A reader uses the default for missing fields and ignores unknown ones. A change that an older proxy
must not ignore raises `VERSION`: the queue then leaves captures that need it to a newer proxy.

Versions: 1; 2 has `garment_image` and `category`, and jobs without `jacket_render`; 3 has jobs that are
answered with a light; 4 has captures of batches, in a queue of their own; 5 has several garments, and
measurements; 6 has the bytes beside the results instead of in Redis.
"""

import dataclasses
from typing import Any

import msgpack
import numpy as np

from frontend_proxy.garments import GarmentJob
from frontend_proxy.jobs import Job

VERSION = 6  # what this module writes, and the newest that it reads

_FIELDS = {field.name for field in dataclasses.fields(Job)}
_DEFAULTS = {
    field.name: field.default
    for field in dataclasses.fields(Job)
    if field.default is not dataclasses.MISSING and field.name != "pose"  # the first readers need a pose
}


class UnreadablePayload(Exception):
    """The bytes are no jobs that this version understands; the message says why."""


def pack(jobs: list[Job]) -> bytes:
    """The samples of one capture as bytes. The samples differ in few fields, so the images are in it once."""
    first = {name: getattr(jobs[0], name) for name in _FIELDS}
    differing = [
        {name: getattr(job, name) for name, value in first.items() if getattr(job, name) is not value}
        for job in jobs
    ]
    sent = {name: value for name, value in first.items() if not _is_default(name, value)}
    return bytes(msgpack.packb([_with_bytes(sent), *map(_with_bytes, differing)]))


def unpack(payload: bytes) -> list[Job]:
    """The jobs, at least one. Raises UnreadablePayload."""
    try:
        first, *differing = msgpack.unpackb(payload)
        jobs = [Job(**_with_array(_known({**first, **fields}))) for fields in differing]
    except Exception as error:  # msgpack, NumPy and dataclasses raise many kinds
        raise UnreadablePayload(f"{type(error).__name__}: {error}") from error
    if not jobs:
        raise UnreadablePayload("it holds no job")
    return jobs


def _is_default(name: str, value: object) -> bool:
    return name in _DEFAULTS and value is _DEFAULTS[name]


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in _FIELDS}


def _with_bytes(fields: dict[str, Any]) -> dict[str, Any]:
    pose, garments = fields.get("pose"), fields.get("garments")
    if pose is not None:
        fields = {**fields, "pose": pose.astype("<f4").tobytes()}
    return fields if not garments else {**fields, "garments": [vars(garment) for garment in garments]}


def _with_array(fields: dict[str, Any]) -> dict[str, Any]:
    pose, garments = fields.get("pose"), fields.get("garments")
    if pose is not None:
        fields = {**fields, "pose": np.frombuffer(pose, "<f4").reshape(33, 4)}
    if not garments:
        return fields
    return {**fields, "garments": tuple(GarmentJob(**garment) for garment in garments)}
