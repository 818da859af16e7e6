"""Jobs as bytes (MessagePack), for a queue between processes."""

import dataclasses
from typing import Any

import msgpack
import numpy as np

from frontend_proxy.jobs import Job


def pack(jobs: list[Job]) -> bytes:
    """The samples of one capture: they share all but their seeds, so the pictures are in it once."""
    first = {field.name: getattr(jobs[0], field.name) for field in dataclasses.fields(Job)}
    differing = [
        {name: getattr(job, name) for name, value in first.items() if getattr(job, name) is not value}
        for job in jobs
    ]
    return bytes(msgpack.packb([_plain(first), *map(_plain, differing)]))


def unpack(payload: bytes) -> list[Job]:
    first, *differing = msgpack.unpackb(payload)
    return [Job(**_array({**first, **fields})) for fields in differing]


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    pose = fields.get("pose")
    return fields if pose is None else {**fields, "pose": pose.astype("<f4").tobytes()}


def _array(fields: dict[str, Any]) -> dict[str, Any]:
    pose = fields["pose"]
    return fields if pose is None else {**fields, "pose": np.frombuffer(pose, "<f4").reshape(33, 4)}
