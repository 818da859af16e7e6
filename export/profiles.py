"""What differs between the profiles, beside Triton's configurations."""

from dataclasses import dataclass

# Batches for which Triton's TensorRT backend captures CUDA graphs where a model has no dynamic batching and
# names none itself (InitializeGraphSpecs in its instance_state.cc); `tryon` pads the UNet's rows to them.
GRAPH_BATCHES = (1, 2, 3, 4, 6, 8, 12, 16)


@dataclass(frozen=True)
class Profile:
    """
    precision: of the networks, unless the export is told another.
    batch_sizes: to which the UNet's rows are padded. On a GPU a padded row is nearly free and a CUDA graph is
        not; on a CPU each row costs its full time.
    max_live: keyframes under way at once. On a GPU twice the UNet's rows: as many again are encoded and
        decoded. On a CPU a batch gains little, and those that share its cores all end late.
    """

    precision: str
    batch_sizes: tuple[int, ...]
    max_live: int


PROFILES = {"cpu": Profile("fp32", (), 3), "gpu": Profile("fp16", GRAPH_BATCHES, 32)}
