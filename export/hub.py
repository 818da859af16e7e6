"""Downloads a checkpoint from the Hugging Face hub, or finds it in the hub's cache."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from export.errors import ExportError, first_line
from export.weights import PARTS, has_weights

CONFIGURATION = ["model_index.json", "pipeline.json", "scheduler/*", "tokenizer/*"]


def download(hub_id: str, parts: Sequence[str] = PARTS, configuration: Sequence[str] = CONFIGURATION) -> Path:
    """The folder of the checkpoint. Raises ExportError.

    Of the weights it gets one kind: most repositories have the same weights in several files, of gigabytes.
    parts: the networks' folders; "" for a checkpoint that is one network.
    configuration: patterns of further files.
    """
    folder = snapshot(hub_id, [*configuration, *_weights(parts, "safetensors")], ["*.fp16.*", "*.non_ema.*"])
    for kind, ignored in (("bin", ["*.fp16.*", "*.non_ema.*"]), ("safetensors", []), ("bin", [])):
        missing = [part for part in parts if not has_weights(folder, part)]
        if not missing:
            break
        folder = snapshot(hub_id, _weights(missing, kind), ignored)
    return folder


def file_names(hub_id: str) -> list[str]:
    """The names of the repository's files; without a connection, of those in the hub's cache.

    Raises ExportError.
    """
    from huggingface_hub import HfApi, snapshot_download

    try:
        return HfApi().list_repo_files(hub_id)
    except Exception as error:  # the hub's client raises many kinds of errors, from five libraries
        try:
            cached = Path(snapshot_download(hub_id, local_files_only=True))
        except Exception:
            raise ExportError(_not_there(hub_id, error)) from error
        return [path.relative_to(cached).as_posix() for path in cached.rglob("*") if path.is_file()]


def _not_there(hub_id: str, error: Exception) -> str:
    return (
        f"there is no folder {hub_id} here, and the export cannot download the checkpoint {hub_id} from the "
        f"hub: {first_line(error)}"
    )


def _weights(parts: Iterable[str], kind: str) -> list[str]:
    return [f"{part}/*.{end}".lstrip("/") for part in parts for end in ("json", kind)]


def snapshot(hub_id: str, allowed: list[str], ignored: Sequence[str] = ()) -> Path:
    """The folder with those files of the repository whose paths match a pattern. Raises ExportError."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, allow_patterns=allowed, ignore_patterns=list(ignored)))
    except Exception as error:  # the hub's client raises many kinds of errors, from five libraries
        raise ExportError(_not_there(hub_id, error)) from error
