import pytest
import torch
from torch import nn

from export.overflow import HALF_MAX, find_peak, real_latents
from export.stages import VaeDecoder, VaeEncoder
from tests import tiny_checkpoint


class Scaled(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.inner = nn.Linear(1, 1, bias=False)
        self.outer = nn.Linear(1, 1, bias=False)
        with torch.no_grad():
            self.inner.weight.fill_(factor)
            self.outer.weight.fill_(1 / factor)

    def forward(self, x):
        return self.outer(self.inner(x))


@pytest.mark.parametrize(("factor", "fits"), [(1.0, True), (3e4, True), (4e4, False), (1e6, False)])
def test_it_is_the_inside_that_counts(factor, fits):
    """What comes out is 1 every time: the overflow that half precision would give is within."""
    peak = find_peak(Scaled(factor), [torch.ones(1, 1)])
    assert peak.value == pytest.approx(factor)
    assert peak.layer == ("inner" if factor > 1 else peak.layer)
    assert peak.fits_half is fits


def test_the_largest_over_all_inputs_counts():
    assert find_peak(Scaled(10.0), [torch.ones(1, 1), torch.full((1, 1), -7.0)]).value == pytest.approx(70)


def test_what_is_not_a_number_does_not_fit():
    assert not find_peak(Scaled(2.0), [torch.full((1, 1), torch.nan), torch.ones(1, 1)]).fits_half


def test_a_decoder_that_overflows_in_half_precision_is_found_on_real_latents():
    """The very decoder, scaled up inside and down again, gives infinities in half precision."""
    vae = tiny_checkpoint.build().vae
    latents = real_latents(VaeEncoder(vae), (64, 64))
    assert [tuple(it.shape) for it in latents] == [(1, 4, 8, 8)] * 2
    assert not latents[0].equal(latents[1])
    assert find_peak(VaeDecoder(vae), latents).fits_half
    with torch.no_grad():
        vae.decoder.conv_in.weight *= 1e6
    assert find_peak(VaeDecoder(vae), latents).value > HALF_MAX
    with torch.no_grad():
        assert not VaeDecoder(vae.half())(latents[0]).isfinite().all()
