"""The report of the proof: one JSON, whose parts are written as soon as they are known."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field


class _Figures(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Call(_Figures):
    """One network with one number of rows. None: not measured, for which `faults` has the reason."""

    network: str
    rows: int
    eager_ms: float | None = None
    graph_ms: float | None = None
    compute_ms: float = Field(description="FLOPs divided by the measured matrix rate")
    memory_ms: float = Field(description="bytes that it must move, divided by the measured bandwidth")
    floor_ms: float = Field(description="the larger of both")


class Networks(_Figures):
    flops_per_s: float | None = None
    bytes_per_s: float | None = None
    calls: list[Call] = []


class Picture(_Figures):
    steps: int
    psnr_db: float = Field(description="of the device's pictures to the CPU's, the mean over scenes")
    worst_db: float
    cpu_to_photograph_db: float
    device_to_photograph_db: float


class Parity(_Figures):
    checkpoint: str = ""
    seed: int = 0
    scenes: int = 0
    pictures: list[Picture] = []
    largest_errors: dict[str, float] = Field({}, description="by network, relative to its largest output")


class Repository(_Figures):
    """One network that was written as a program of torch.export."""

    seconds: dict[str, float] = {}
    bytes: dict[str, int] = {}


class Serving(_Figures):
    ready_s: float | None = None
    first_keyframe_ms: float | None = None
    keyframes_ms: list[float] = []
    keyframe_p50_ms: float | None = None
    keyframe_p95_ms: float | None = None
    keyframe_steps: int | None = None
    stages_ms: dict[str, float] = Field({}, description="medians of what the answers say of themselves")
    captures_ms: list[float] = []
    capture_p50_ms: float | None = None
    capture_steps: int | None = None


class Load(_Figures):
    sockets: int
    captures: int
    seconds: float
    answers: int
    other_answers: dict[str, int] = {}
    p50_ms: float | None
    p99_ms: float | None
    captures_done: int
    calls: int | None = Field(description="of the UNet; None if Triton tells none")
    rows_a_call: float | None


class Sockets(_Figures):
    ready_s: float | None = None
    loads: list[Load] = []


class Hop(_Figures):
    way: Literal["in process", "main memory", "gpu memory"]
    rows: int
    p50_ms: float
    p95_ms: float


class Hops(_Figures):
    hops: list[Hop] = []


class Training(_Figures):
    batch: int | None = None
    steps: int = 0
    seconds: float = 0.0
    samples_per_s: float | None = None
    losses: list[float] = []


FIGURES: dict[str, type[_Figures]] = {
    "networks": Networks,
    "parity": Parity,
    "repository": Repository,
    "serving": Serving,
    "sockets": Sockets,
    "hops": Hops,
    "training": Training,
}


class StepReport(_Figures):
    """
    state: `failed`: it ended with an error; `timed out`: it was ended at its limit; `left out`: there was no
        time for it, or a step that it needs has failed. `figures` has what was measured before.
    faults: single figures that are missing, and why.
    """

    name: str
    state: Literal["done", "failed", "timed out", "left out"]
    seconds: float
    limit_s: float
    error: str | None = None
    faults: list[str] = []
    figures: dict[str, Any]


class Report(_Figures):
    """
    device: its name, `cuda` or `cpu`, memory, driver; versions: of packages.
    """

    device: dict[str, Any]
    versions: dict[str, str | None]
    commit: str
    began: str
    size: str
    networks: str
    steps: list[StepReport] = []


Model = TypeVar("Model", bound=BaseModel)


class Recorded:
    """A step's figures and faults in a file, which is written anew with every change."""

    def __init__(self, name: str, path: Path):
        self.figures: Any = FIGURES[name]()
        self.faults: list[str] = []
        self._path = path
        self.write()

    def fault(self, what: str, error: BaseException | str) -> None:
        self.faults.append(f"{what}: {error if isinstance(error, str) else repr(error)}"[:1000])
        self.write()

    def write(self) -> None:
        write_json(self._path, {"figures": self.figures.model_dump(), "faults": self.faults})


def write_json(path: Path, content: BaseModel | Mapping[str, Any]) -> None:
    """Whole or not at all: a step may be ended at any moment."""
    text = (
        content.model_dump_json(indent=1) if isinstance(content, BaseModel) else json.dumps(content, indent=1)
    )
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(text + "\n")
    os.replace(partial, path)
