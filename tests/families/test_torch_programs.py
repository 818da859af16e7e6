"""Every family's networks as programs of torch, which profile gpu runs where there is no engine."""

import pytest
import torch

from export.torch_program import export_program
from families.catvton.checkpoint import load_unet, load_vae
from families.catvton.layout import find
from families.catvton.stages import describe_stages as catvton_stages
from families.fashn_vton.checkpoint import load as load_fashn
from families.fashn_vton.stages import describe_stages as fashn_stages
from families.idm_vton.stages import describe_stages as idm_stages
from families.sd_inpainting.checkpoint import load as load_sd
from families.sd_inpainting.stages import describe_stages as sd_stages
from families.sdxl_inpainting.checkpoint import load as load_sdxl
from families.sdxl_inpainting.stages import describe_stages as sdxl_stages
from serving.stages.torch_runtime import NAME, TorchStage
from tests import tiny_sdxl
from tests.families.catvton import vectors as catvton
from tests.families.fashn_vton import vectors as fashn
from tests.families.idm_vton import vectors as idm

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(900)]  # minutes on a busy machine

# Sides of 64 pixels each, so that the networks are traced with sides that vary, as they are served.
SIZES = [(128, 64), (64, 64)]
PATCHES = [(144, 72), (72, 72)]  # FASHN VTON's sides are multiples of 12


def _sdxl(checkpoint, folder):
    return sdxl_stages(load_sdxl(tiny_sdxl.write(folder)), SIZES)


def _catvton(checkpoint, folder):
    layout = find(catvton.CHECKPOINT)
    return catvton_stages(load_unet(layout), load_vae(layout), SIZES)


FAMILIES = {
    "sd_inpainting": lambda checkpoint, folder: sd_stages(load_sd(checkpoint), SIZES),
    "sdxl_inpainting": _sdxl,
    "catvton": _catvton,
    "idm_vton": lambda checkpoint, folder: list(idm_stages(idm.CHECKPOINT, SIZES)),
    "fashn_vton": lambda checkpoint, folder: fashn_stages(load_fashn(fashn.CHECKPOINT), PATCHES),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_program_computes_what_the_network_computes_for_any_rows_and_served_size(
    family, checkpoint, tmp_path
):
    """IDM-VTON's image encoder was fixed at two rows: `len` of a tensor is a constant of a program."""
    for stage in FAMILIES[family](checkpoint, tmp_path / "checkpoint"):
        folder = tmp_path / stage.name
        folder.mkdir()
        export_program(stage, "fp32", folder)
        program = TorchStage(folder / NAME, "cpu")
        for example in stage.examples:
            given = {name: torch.cat([it, it[:1]]) for name, it in example.items()}
            with torch.no_grad():
                expected = stage.module(**given)
            expected = (expected,) if isinstance(expected, torch.Tensor) else expected
            for found, reference in zip(program.call(given).values(), expected, strict=True):
                assert (found - reference).abs().max() <= 1e-4 * reference.abs().max(), stage.name
