import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from export.errors import ExportError
from families.fashn_vton.checkpoint import check, load, recognise
from families.fashn_vton.sizes import read_sizes
from tests.families.fashn_vton.vectors import CHECKPOINT


@pytest.fixture
def folder(tmp_path):
    """A copy to spoil."""
    return shutil.copytree(CHECKPOINT, tmp_path / "checkpoint")


def rewrite(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def configure(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_it_is_recognised_with_and_without_a_configuration(folder):
    assert recognise(folder)
    (folder / "config.json").unlink()
    assert recognise(folder)  # as on the hub
    assert recognise(folder / "model.safetensors")


def test_others_are_not_taken_for_it(tmp_path):
    assert not recognise(tmp_path)
    save_file({"x_embedder.proj.weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    assert not recognise(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert not recognise(tmp_path)


def test_the_sizes_are_the_tensors(folder):
    sizes = check(folder)
    assert (sizes.width, sizes.heads, sizes.mlp, sizes.patch, sizes.categories) == (64, 2, 256, 12, 3)
    assert (sizes.patch_mixer_blocks, sizes.double_blocks, sizes.single_blocks) == (2, 2, 3)
    assert sizes.picture == (108, 72)
    (folder / "config.json").unlink()
    alone = check(folder)
    assert alone.picture == (864, 576)
    assert alone.axes == (4, 14, 14)


def test_the_released_checkpoint_needs_no_configuration():
    """The shapes that the sizes are read from; 366 tensors have them."""
    shapes = {
        "x_embedder.proj.weight": (1280, 7, 12, 12),
        "y_embedder.weight": (4, 1280),
        "single_blocks.0.linear2.weight": (1280, 6400),
        "single_blocks.0.norm.query_norm.scale": (128,),
        **{f"x_patch_mixer.{i}.linear1.bias": (8960,) for i in range(4)},
        **{f"double_blocks.{i}.img_mod.lin.bias": (7680,) for i in range(8)},
        **{f"single_blocks.{i}.linear1.bias": (8960,) for i in range(16)},
    }
    sizes = read_sizes(shapes, {}, "fashn-ai/fashn-vton-1.5")
    assert (sizes.width, sizes.heads, sizes.mlp) == (1280, 10, 5120)
    assert (sizes.patch_mixer_blocks, sizes.double_blocks, sizes.single_blocks) == (4, 8, 16)
    assert (sizes.axes, sizes.picture) == ((16, 56, 56), (864, 576))


def test_weights_become_single_precision_and_the_leftover_is_ignored(folder):
    assert load_file(folder / "model.safetensors")["patch_mixer_token"].dtype == torch.bfloat16
    network = load(folder)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    rewrite(folder, lambda tensors: tensors.pop("patch_mixer_token"))
    assert len(load(folder).state_dict()) == len(network.state_dict())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda it: it.pop("single_blocks.1.linear2.bias"),
            "lacks 1 tensors, such as single_blocks.1.linear2",
        ),
        (lambda it: it.update(extra=torch.zeros(1)), "does not belong to FASHN VTON: it has 1 tensors"),
        (
            lambda it: it.update({"x_embedder.proj.bias": torch.zeros(3)}),
            "x_embedder.proj.bias has the shape",
        ),
        (lambda it: it.pop("y_embedder.weight"), "its tensors do not fit it: 'y_embedder.weight'"),
    ],
)
def test_other_tensors_are_refused_in_one_sentence(folder, change, message):
    rewrite(folder, change)
    with pytest.raises(ExportError, match=message):
        load(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden_size": 128}, "says hidden_size 128, and its weights have 64"),
        ({"double_blocks_depth": 3}, "says double_blocks_depth 3, and its weights have 2"),
        ({"axes_dim": [4, 14]}, "axes_dim must be three even numbers whose sum is the head's width, 32"),
        ({"axes_dim": [6, 13, 13]}, "axes_dim must be three even numbers"),
        ({"input_shape": [100, 72]}, "height and width in multiples of 12 pixels"),
        ({"input_shape": 108}, "height and width in multiples of 12 pixels"),
        ({"theta": "10000"}, "theta '10000'"),
    ],
)
def test_a_wrong_configuration_is_refused_in_one_sentence(folder, values, message):
    configure(folder, **values)
    with pytest.raises(ExportError, match=message):
        check(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git-LFS pointer"),
        (b"\x10\0\0\0\0\0\0\0{}", "it is cut off"),
    ],
)
def test_a_broken_file_is_named(folder, content, message):
    (folder / "model.safetensors").write_bytes(content)
    assert recognise(folder)  # by its configuration
    with pytest.raises(ExportError, match=message):
        check(folder)


def test_missing_weights_are_named(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(
        ExportError, match=r"incomplete FASHN VTON checkpoint: .*model.safetensors is missing"
    ):
        check(folder)
