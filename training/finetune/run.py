"""A run: from a dataset and a checkpoint to a LoRA and its card."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from families.tuning import Lesson
from training.finetune import checker
from training.finetune.augmentation import varied
from training.finetune.card import write_card
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


class Refused(ValueError):
    """The dataset cannot be trained on; each fault is a line."""


def checked(rows: Sequence[Row], preparation: Preparation) -> None:
    """Raises Refused."""
    faults = checker.check(rows, preparation)
    if faults:
        wrong = len({fault.row for fault in faults})
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise Refused(f"{wrong} of {len(rows)} rows are wrong, and nothing was trained:\n{listed}")


def run(wanted: Wanted) -> dict[str, Any]:
    """Train, write `wanted.out` and its card; returns what the file's metadata says.

    Raises Refused, NotTunable, Diverged, ExportError, FileNotFoundError, ValueError.
    """
    began = time.process_time()
    torch.manual_seed(wanted.seed)  # of the LoRAs' first values
    rows = find_rows(wanted.dataset)
    tunable = Tunable(wanted.checkpoint, torch.device(wanted.device), wanted.choices)
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
            "trained": [row.digest() for row in parted.training],
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
    rng = np.random.default_rng(wanted.seed)
    training: list[tuple[Row, Prepared]] = []
    for row in tqdm(parted.training, desc="variants", unit="row"):
        shot = read_shot(row)
        seen = [
            preparation.of_shot(shot),
            *(preparation.of_shot(varied(shot, rng)) for _ in range(wanted.variants)),
        ]
        # A cut may leave nothing of a garment at the edge.
        training += [(row, it) for it in seen if it.reason is None]
    measured = [(row, preparation.of(row)) for row in parted.validation]
    parts: list[tuple[Part, int]] = []
    if wanted.light_steps and tunable.light_reader is not None:
        scenes = [[it.scene for _, it in side if it.scene is not None] for side in (training, measured)]
        parts.append((Light(tunable, scenes[0], scenes[1], wanted.batch), wanted.light_steps))
    if wanted.steps:
        sides = [_lessons(tunable, side) for side in (training, measured)]
        parts.append((Denoiser(tunable, sides[0], sides[1], wanted.batch), wanted.steps))
    if not parts:
        raise ValueError("nothing is trained: give --steps or --light-steps")
    return parts


def _lessons(tunable: Tunable, side: Sequence[tuple[Row, Prepared]]) -> tuple[list[Lesson], list[str]]:
    lessons = [
        tunable.tuning.lesson(tunable.encode, it.pictures)
        for _, it in tqdm(side, desc="latents", unit="picture")
    ]
    kept = [_on_processor(it) for it in lessons]
    return kept, [row.caption for row, _ in side]


def _on_processor(lesson: Lesson) -> Lesson:
    return Lesson(lesson.clean.cpu(), lesson.channels.cpu(), lesson.weight.cpu())
