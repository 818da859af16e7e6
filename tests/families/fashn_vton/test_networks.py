import copy

import pytest
import torch

from families.fashn_vton.networks import sinusoids
from families.fashn_vton.rope import RotaryTable, rotate
from tests.families.fashn_vton.vectors import tensors

# Twice as much as float32 differs from float64 by.
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def forward():
    return tensors("forward")


def conditions(forward, factor=1):
    """The four inputs beside noise and time; factor 0: of the unconditional row."""
    return {
        "sample": torch.cat(
            [forward["x"], factor * forward["ca_images"], factor * forward["person_poses"]], dim=1
        ),
        "timestep": forward["times"],
        "garment": factor * torch.cat([forward["garment_images"], forward["garment_poses"]], dim=1),
        "category": (factor * forward["garment_categories"]).int(),
    }


@torch.no_grad()
@pytest.mark.parametrize(("factor", "expected"), [(1, "v_cond"), (0, "v_uncond")])
def test_a_call_equals_the_upstreams(network, forward, factor, expected):
    found = network(**conditions(forward, factor))
    assert (found - forward[expected]).abs().max() < TOLERANCE


@torch.no_grad()
def test_half_precision_stays_close(network, forward):
    found = copy.deepcopy(network).half()(**conditions(forward))
    assert found.dtype == torch.float32
    assert (found - forward["v_cond"]).abs().max() < 1e-2 * forward["v_cond"].abs().max()


@torch.no_grad()
def test_rows_of_a_batch_do_not_see_each_other(network, forward):
    both = network(**conditions(forward))
    second = network(**{name: rows[1:] for name, rows in conditions(forward).items()})
    torch.testing.assert_close(both[1:], second, atol=TOLERANCE, rtol=0)


def test_positions_of_a_grid_equal_the_upstreams(forward):
    cos, sin = RotaryTable((4, 14, 14), 10_000).grid(9, 6)
    expected = forward["rope"]
    assert torch.equal(cos, expected[..., 0, 0])
    assert torch.equal(sin, expected[..., 1, 0])


def test_positions_at_the_released_size_equal_the_upstreams():
    vectors = tensors("schedules")
    grid = RotaryTable((16, 56, 56), 10_000).grid(72, 48)
    rows, columns = vectors["rope_full_ids"][:, 1].long(), vectors["rope_full_ids"][:, 2].long()
    for found, expected in zip(
        grid, (vectors["rope_full"][..., 0, 0], vectors["rope_full"][..., 1, 0]), strict=True
    ):
        assert torch.equal(found[rows * 48 + columns], expected)


def test_a_turn_keeps_lengths_and_turns_neighbours():
    quarter = rotate(torch.tensor([[1.0, 0.0, 0.0, 2.0]]), torch.zeros(1, 2), torch.ones(1, 2))
    assert quarter.tolist() == [[0.0, 1.0, -2.0, 0.0]]


def test_time_is_counted_to_a_thousand_and_cosines_come_first():
    waves = sinusoids(torch.tensor([0.0, 0.5]))
    assert waves[0].tolist() == [1.0] * 128 + [0.0] * 128
    assert waves[1, 128] == pytest.approx(torch.tensor(500.0).sin().item(), abs=1e-4)
