import json

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file

from export.errors import ExportError
from families.catvton.attention import merge, self_attentions
from tests.families.catvton.vectors import CHECKPOINT

# Of each self-attention, the numbers by which an alias is known.
ALIASES = {
    "to_q.weight": ["1.weight"],
    "to_k.weight": ["2.weight"],
    "to_v.weight": ["3.weight"],
    "to_out.0.weight": ["4.0.weight", "5.weight"],
    "to_out.0.bias": ["4.0.bias", "5.bias"],
}


@pytest.fixture
def unet():
    """With the weights of nothing."""
    return UNet2DConditionModel.from_config(
        UNet2DConditionModel.load_config(CHECKPOINT / "base" / "unet")
    ).eval()


@pytest.fixture(scope="module")
def tensors(layout):
    return load_file(layout.attention)


def with_aliases(tensors):
    added = dict(tensors)
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        for alias in ALIASES[name]:
            offset, _, rest = alias.partition(".")
            added[f"{int(number) + int(offset)}.{rest}"] = tensor
    return added


def test_the_order_is_that_of_construction(unet):
    """The middle block is made last, though it runs before the up blocks."""
    listed = json.loads((CHECKPOINT / "attention_module_order.json").read_text())
    assert self_attentions(unet) == [listed[str(8 * number)] for number in range(16)]


def test_every_tensor_has_its_place(unet, tensors):
    merge(unet, tensors, CHECKPOINT)
    state = unet.state_dict()
    for number, name in enumerate(self_attentions(unet)):
        for tensor in ALIASES:
            assert state[f"{name}.{tensor}"].equal(tensors[f"{8 * number}.{tensor}"])


def test_aliases_that_are_equal_change_nothing(unet, tensors):
    merge(unet, tensors, CHECKPOINT)
    expected = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    more = with_aliases(tensors)
    assert len(more) == 80 + 16 * 7
    merge(unet, more, CHECKPOINT)
    assert all(tensor.equal(expected[name]) for name, tensor in unet.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda it: it.pop("120.to_v.weight"), r"lacks 120\.to_v\.weight, of the 80 tensors"),
        (lambda it: it.update({"0.to_q.weight": torch.zeros(32, 32)}), r"0\.to_q\.weight has the shape"),
        (lambda it: it.update({"1.weight": torch.zeros(16, 16)}), r"1\.weight and 0\.to_q\.weight .* differ"),
        (lambda it: it.update({"128.to_q.weight": torch.zeros(1)}), r"contains 128\.to_q\.weight"),
        (lambda it: it.update({"7.weight": torch.zeros(1)}), r"contains 7\.weight, which belongs to no"),
        (lambda it: it.update({"proj_in.weight": torch.zeros(1)}), r"contains proj_in\.weight"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(unet, tensors, change, message):
    changed = dict(tensors)
    change(changed)
    with pytest.raises(ExportError, match=message):
        merge(unet, changed, CHECKPOINT)
