"""What an export was told. The manifest records it, so that `make serve` can repeat that very export."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from export.lora import Lora

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_CHECKPOINT = "./export/checkpoints/lucy-tiny"  # in this checkout


def record(args: Namespace, loras: list[Lora]) -> dict[str, Any]:
    """The command line of `python -m export` as the manifest keeps it, from any working directory."""
    return {
        "checkpoint": _lasting(args.checkpoint) if Path(args.checkpoint).exists() else args.checkpoint,
        "profile": args.profile,
        "precision": args.precision,
        "loras": [[_lasting(lora.path), lora.weight] for lora in loras],
        "densepose": _lasting(args.densepose) if args.densepose else "",
        "engines": args.engines,
        "refit": args.refit,
        "workspace_gb": args.workspace_gb,
    }


def recorded(manifest: dict[str, Any]) -> dict[str, Any]:
    """What the manifest's export was told; of an older manifest, as far as it says so."""
    if "request" in manifest:
        return dict(manifest["request"])
    name = manifest["checkpoint"]["name"]
    return {
        "checkpoint": _lasting(name) if (ROOT / name).exists() else name,
        "profile": manifest["profile"],
        "precision": manifest.get("precision"),
        "loras": [[it["path"], it["weight"]] for it in manifest.get("loras", [])],
    }


def command_line(request: dict[str, Any]) -> list[str]:
    """The arguments of `python -m export` that ask for the same again."""
    options = {key: value for key, value in request.items() if value not in (None, "", [])}
    checkpoint = options.pop("checkpoint", DEFAULT_CHECKPOINT)
    if checkpoint.startswith("./"):
        checkpoint = str(ROOT / checkpoint)
    if isinstance(options.get("loras"), list):
        options["loras"] = ",".join(f"{ROOT / path}:{weight}" for path, weight in options["loras"])
    if str(options.get("densepose", "")).startswith("./"):
        options["densepose"] = str(ROOT / options["densepose"])
    return [*(f"--{key.replace('_', '-')}={value}" for key, value in options.items()), "--", checkpoint]


def same_checkpoint(one: str, other: str) -> bool:
    """Whether both name one folder, or one hub id."""
    return one == other or (ROOT / one).resolve() == (ROOT / other).resolve()


def _lasting(path: str | Path) -> str:
    """The absolute path; one within this checkout as seen from there, since the checkout may be moved."""
    absolute = Path(path).expanduser().absolute()
    within = absolute.is_relative_to(ROOT)
    return f"./{absolute.relative_to(ROOT)}" if within else str(absolute)
