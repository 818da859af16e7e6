"""Jobs as bytes (MessagePack) for the queue between processes.

Proxies of different versions share the queue during an upgrade. A reader ignores fields that it does not know
and takes a field's default where the field is missing. A change that an older proxy must not ignore raises
`VERSION`: the queue then leaves the capture to a newer proxy.
"""

import dataclasses
from typing import Any

import msgpack
import numpy as np

from frontend_proxy.jobs import Job

VERSION = 1

_FIELDS = {field.name for field in dataclasses.fields(Job)}


class UnreadablePayload(Exception):
    """The bytes are no jobs that this version understands; the message says why."""


def pack(jobs: list[Job]) -> bytes:
    """The samples of one capture as bytes. The samples differ in few fields, so the images are in it once."""
    first = {name: getattr(jobs[0], name) for name in _FIELDS}
    differing = [
        {name: getattr(job, name) for name, value in first.items() if getattr(job, name) is not value}
        for job in jobs
    ]
    return bytes(msgpack.packb([_with_bytes(first), *map(_with_bytes, differing)]))


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


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in _FIELDS}


def _with_bytes(fields: dict[str, Any]) -> dict[str, Any]:
    pose = fields.get("pose")
    return fields if pose is None else {**fields, "pose": pose.astype("<f4").tobytes()}


def _with_array(fields: dict[str, Any]) -> dict[str, Any]:
    pose = fields.get("pose")
    return fields if pose is None else {**fields, "pose": np.frombuffer(pose, "<f4").reshape(33, 4)}
