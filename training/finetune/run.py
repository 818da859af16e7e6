"""A run: from a dataset and a checkpoint to a LoRA and its card."""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from families.tuning import Lesson
from training.finetune.augmentation import varied
from training.finetune.card import write_card
from training.finetune.checker import checked
from training.finetune.denoiser import Denoiser
from training.finetune.examples import Preparation, Prepared, read_shot
from training.finetune.light import Light
from training.finetune.loop import Course, Loop, Part
from training.finetune.lora_file import write_lora
from training.finetune.rows import Row, data_digest, find_rows
from training.finetune.split import Split, split
from training.finetune.tunable import Choices, Tunable


@dataclass(frozen=True)
class Wanted:
    """What the command line says.

    steps, light_steps: at most, of the denoiser and of the light reader; 0 trains it not at all.
    """

    dataset: Path
    checkpoint: Path
    out: Path
    work: Path
    steps: int
    light_steps: int
    learning_rate: float
    batch: int
    variants: int
    held_out: float
    every: int
    patience: int
    seed: int
    device: str
    choices: Choices


def run(wanted: Wanted) -> dict[str, Any]:
    """Train, write `wanted.out` and its card; returns what the file's metadata says.

    Raises Refused, NotTunable, Diverged, ExportError, FileNotFoundError, ValueError.
    """
    began = time.process_time()
    torch.manual_seed(wanted.seed)  # of the LoRAs' first values
    rows = find_rows(wanted.dataset)
    tunable = Tunable(wanted.checkpoint, torch.device(wanted.device), wanted.choices)
    if not wanted.steps and not (wanted.light_steps and tunable.light_reader is not None):
        raise ValueError("nothing is trained: give --steps, or for lucy-tiny --light-steps")
    preparation = Preparation(tunable.config, tunable.light_reader is not None)
    checked(rows, preparation)
    parted = split(rows, wanted.held_out, wanted.seed)
    digest = data_digest(rows)
    work = wanted.work / _key(wanted, digest, tunable.digest)
    parts, told = _parts(tunable, preparation, parted, wanted), []
    for part, steps in parts:
        course = Course(steps, wanted.learning_rate, wanted.every, wanted.patience, wanted.seed)
        loop = Loop(part, course, work)
        loop.run()
        told.append(
            {
                "part": part.name,
                "before": loop.before,
                "best": loop.best,
                "best_step": loop.best_step,
                "steps": loop.step,
                "seconds": round(loop.elapsed, 1),
            }
        )
    about: dict[str, Any] = {
        "name": wanted.out.name,
        "family": tunable.family,
        "checkpoint": {"name": str(wanted.checkpoint), "sha256": tunable.digest},
        "networks": [name for part, _ in parts for name in part.networks],
        "data": {
            "sha256": digest,
            "training": len(parted.training),
            "trained": [row.photo_digest for row in parted.training],
            "validation": [row.name for row in parted.validation],
            "people": len({row.person for row in rows}),
            "by_model": sum(row.by_model for row in rows),
        },
        "course": {
            "rank": wanted.choices.rank,
            "learning_rate": wanted.learning_rate,
            "batch": wanted.batch,
            "variants": wanted.variants,
            "seed": wanted.seed,
        },
        "parts": told,
        "processor_seconds": round(time.process_time() - began, 1),
    }
    write_lora({name: tunable.networks[name] for name in about["networks"]}, about, wanted.out)
    write_card(about, wanted.out.with_suffix(".md"))
    return about


def _key(wanted: Wanted, data: str, checkpoint: str) -> str:
    """The name of the run's folder: another dataset, checkpoint or choice is another run, and never resumes
    this one."""
    choices = [asdict(wanted.choices), wanted.steps, wanted.light_steps, wanted.learning_rate, wanted.batch]
    choices += [wanted.variants, wanted.held_out, wanted.every, wanted.patience, wanted.seed]
    return hashlib.sha256(json.dumps([data, checkpoint, *choices]).encode()).hexdigest()[:16]


def _parts(
    tunable: Tunable, preparation: Preparation, parted: Split, wanted: Wanted
) -> list[tuple[Part, int]]:
    """Those that are trained, and how many steps at most."""
    training = _learnt(tunable, _variants(preparation, parted.training, wanted), wanted)
    held_out = tqdm(parted.validation, desc="held out", unit="row")
    measured = _learnt(tunable, ((row, preparation.of(row)) for row in held_out), wanted)
    parts: list[tuple[Part, int]] = []
    if wanted.light_steps and tunable.light_reader is not None:
        parts.append((Light(tunable, training.scenes, measured.scenes, wanted.batch), wanted.light_steps))
    if wanted.steps:
        sides = [(it.lessons, it.captions) for it in (training, measured)]
        parts.append((Denoiser(tunable, sides[0], sides[1], wanted.batch), wanted.steps))
    return parts


def _variants(
    preparation: Preparation, rows: Sequence[Row], wanted: Wanted
) -> Iterator[tuple[Row, Prepared]]:
    """Each row, and its variants."""
    rng = np.random.default_rng(wanted.seed)
    for row in tqdm(rows, desc="variants", unit="row"):
        shot = read_shot(row)
        yield row, preparation.of_shot(shot)
        for _ in range(wanted.variants):
            yield row, preparation.of_shot(varied(shot, rng))


@dataclass(frozen=True)
class _Learnt:
    """What is kept of examples: of a camera's size, a few hundred would fill the memory.

    lessons, captions: of each example, for the denoiser. scenes: for the light reader, if there is one.
    """

    lessons: list[Lesson]
    captions: list[str]
    scenes: list[np.ndarray]


def _learnt(tunable: Tunable, examples: Iterable[tuple[Row, Prepared]], wanted: Wanted) -> _Learnt:
    learnt = _Learnt([], [], [])
    for row, it in examples:
        if it.reason is not None:
            continue  # a cut may leave nothing of a garment at the edge
        if wanted.steps:
            learnt.lessons.append(_on_processor(tunable.tuning.lesson(tunable.encode, it.pictures)))
            learnt.captions.append(row.caption)
        if wanted.light_steps and it.scene is not None:
            learnt.scenes.append(it.scene)
    return learnt


def _on_processor(lesson: Lesson) -> Lesson:
    return Lesson(lesson.clean.cpu(), lesson.channels.cpu(), lesson.weight.cpu())
