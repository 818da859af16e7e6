"""A checkpoint in one file, as trainers and web interfaces save it, with the names of the original code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from export.errors import ExportError, first_line
from export.files import check_weights

_UNET = "model.diffusion_model."
_TEXT_ENCODER = "cond_stage_model."
_CONV_IN = f"{_UNET}input_blocks.0.0.weight"


def check_single_file(path: Path) -> None:
    """Raises ExportError if the file is not a whole checkpoint of the Stable-Diffusion-inpainting class."""
    check_weights(path)
    shapes = _shapes(path)
    if _CONV_IN not in shapes or not any(name.startswith(_TEXT_ENCODER) for name in shapes):
        raise ExportError(
            f"{path} is a single file that does not contain a whole checkpoint of the Stable-Diffusion class "
            "(UNet, VAE and text encoder): if it is one network of a diffusers folder, give the folder with "
            "the model_index.json"
        )
    if (channels := shapes[_CONV_IN][1]) != 9:
        raise ExportError(
            f"{path} is not an inpainting checkpoint: its UNet has {channels} input channels, and inpainting "
            "needs 9 (latents, mask, conditioning latents)"
        )


def load_single_file(path: Path) -> Any:
    """The pipeline that diffusers makes of the file. Raises ExportError.

    The file has neither configuration nor tokenizer: they come from the diffusers folder that the file lies
    in, if it does; else diffusers gets them from the hub, or its cache, and asks it for nothing else.
    """
    import torch
    from diffusers import StableDiffusionInpaintPipeline

    beside = path.parent if (path.parent / "model_index.json").is_file() else None
    try:
        return StableDiffusionInpaintPipeline.from_single_file(
            str(path),
            torch_dtype=torch.float32,
            **({} if beside is None else {"config": str(beside), "local_files_only": True}),
            safety_checker=None,
            feature_extractor=None,
            image_encoder=None,
        )
    except Exception as error:  # four libraries raise their own errors
        folder = path.with_suffix("")
        raise ExportError(
            f"{path} is a single file, and it does not load ({first_line(error)}): diffusers needs the hub "
            "for its configuration and tokenizer; on a machine with a connection, this makes a folder of it, "
            f"to give as CHECKPOINT: python -c 'from diffusers import StableDiffusionInpaintPipeline as It; "
            f'It.from_single_file("{path}").save_pretrained("{folder}")\''
        ) from error


def _shapes(path: Path) -> Mapping[str, tuple[int, ...]]:
    """The tensors' shapes by their names."""
    if path.suffix.lower() == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, "np") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    import torch

    try:
        # weights_only: other pickles run code. Files before torch 1.6 cannot be mapped.
        found = torch.load(path, "cpu", weights_only=True, mmap=_is_archive(path))
    except Exception as error:  # the pickle decides what is raised
        raise ExportError(
            f"{path} cannot be read without running the code in it ({first_line(error)}): get it as a "
            ".safetensors file"
        ) from error
    found = found.get("state_dict", found) if isinstance(found, dict) else {}
    return {name: tuple(it.shape) for name, it in found.items() if isinstance(it, torch.Tensor)}


def _is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"
