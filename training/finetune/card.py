"""The model card beside the LoRA: what it was made of, and what was measured."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def card(about: Mapping[str, Any]) -> str:
    """Markdown. about: of `run.Run`, as in the file's metadata."""
    data, course = about["data"], about["course"]
    given = [f"CHECKPOINT={about['checkpoint']['name']}", f"LORAS={about['name']}"]
    lines = [
        f"# {about['name']}",
        "",
        f"A LoRA for {about['checkpoint']['name']} ({about['family']}), by `python -m training.finetune`.",
        "",
        "| | |",
        "|---|---|",
        f"| checkpoint's SHA-256 | `{about['checkpoint']['sha256']}` |",
        f"| data's SHA-256 | `{data['sha256']}` |",
        f"| rows | {data['training']} trained, {len(data['validation'])} measured |",
        f"| people | {data['people']} |",
        f"| photographs that are accepted captures of a model | {data['by_model']} |",
        f"| rank, learning rate, batch, seed | {course['rank']}, {course['learning_rate']:g}, "
        f"{course['batch']}, {course['seed']} |",
        f"| variants of each row | {course['variants']} |",
        f"| networks | {', '.join(about['networks'])} |",
        "",
        "## Errors on the rows that were measured",
        "",
        "| part | before | best | at step | steps | seconds |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {part['part']} | {part['before']:.4f} | {part['best']:.4f} | {part['best_step']} "
        f"| {part['steps']} | {part['seconds']:.0f} |"
        for part in about["parts"]
    ]
    lines += [
        "",
        "These are errors of the networks alone. What is served is compared by "
        "`python -m training.finetune.compare`.",
        "",
        "## Use",
        "",
        "```bash",
        f"make export {shlex.join(given)}",
        "```",
        "",
        "The pictures' people have agreed to its training only as far as whoever collected them knows: see "
        "docs/finetuning.md.",
    ]
    return "\n".join(lines) + "\n"


def write_card(about: Mapping[str, Any], path: Path) -> None:
    path.write_text(card(about))
