import pytest
import torch

from pipeline.denoising.batching import Step, group_compatible, padded_size, stack


def job(rows, value, unet="unet", side=2, further=()):
    inputs = {
        "sample": torch.full((rows, 9, 2, side), value),
        "timestep": torch.full((rows, 1), 10 * value),
        "prompt_embeds": torch.full((rows, 3, 4), 100 * value),
    }
    return Step(unet, inputs | {name: torch.zeros(rows, 1) for name in further})


@pytest.mark.parametrize(
    ("rows", "sizes", "padded"),
    [(1, (1, 2, 4), 1), (3, (1, 2, 4), 4), (4, (1, 2, 4), 4), (5, (1, 2, 4), 5), (3, (), 3)],
)
def test_a_batch_is_padded_to_the_next_size_that_has_a_graph(rows, sizes, padded):
    assert padded_size(rows, sizes) == padded


def test_every_job_gets_its_own_rows_back_and_none_of_the_padding():
    batch = stack([job(1, 1.0), job(2, 2.0)], (1, 2, 4, 8))
    assert [tuple(tensor.shape) for tensor in batch.inputs.values()] == [(4, 9, 2, 2), (4, 1), (4, 3, 4)]
    # A stand-in for the UNet that tells the rows apart.
    parts = batch.split(batch.inputs["sample"][:, :4] + batch.inputs["timestep"][..., None, None])
    assert [len(part) for part in parts] == [1, 2]
    assert [part.unique().item() for part in parts] == [11, 22]


def test_without_sizes_nothing_is_padded():
    """On a CPU a row costs its full time."""
    assert len(stack([job(1, 1.0), job(2, 2.0)], ()).inputs["sample"]) == 3


def test_jobs_of_two_unets_or_two_resolutions_do_not_share_a_batch():
    jobs = [job(1, 1.0, "unet_fast"), job(2, 2.0), job(1, 3.0, "unet_fast"), job(1, 4.0, side=3)]
    assert group_compatible(jobs) == [[0, 2], [1], [3]]


def test_a_job_with_further_inputs_shares_no_batch_with_one_that_lacks_them():
    jobs = [job(1, 1.0), job(1, 2.0, further=["garment"]), job(2, 3.0, further=["garment"])]
    assert group_compatible(jobs) == [[0], [1, 2]]
    assert len(stack(jobs[1:], ()).inputs["garment"]) == 3


@pytest.mark.parametrize("rows", [0, 2, 3, 5])
def test_an_output_with_another_number_of_rows_is_refused(rows):
    """Fewer rows failed somewhere later, and more gave a job another's rows."""
    batch = stack([job(1, 1.0), job(2, 2.0)], (1, 2, 4, 8))
    with pytest.raises(ValueError, match=f"{rows} rows for a batch of 4"):
        batch.split(torch.zeros(rows, 4, 2, 2))


@pytest.mark.parametrize("first", [0, 1])
def test_a_job_on_the_cpu_joins_those_on_the_gpu(first):
    """A job before whose first step no network runs begins there; `meta` stands for the GPU."""
    jobs = [job(1, 1.0), job(1, 2.0)]
    moved = {name: tensor.to("meta") for name, tensor in jobs[first].inputs.items()}
    jobs[first] = Step("unet", moved)
    assert {tensor.device.type for tensor in stack(jobs, ()).inputs.values()} == {"meta"}
