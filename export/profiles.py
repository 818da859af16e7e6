"""The differences between the profiles, apart from Triton's configurations."""

from dataclasses import dataclass

# `tryon` pads the UNet's rows to these. They are the preferred batch sizes in unet/config.pbtxt, for which
# Triton's TensorRT backend captures CUDA graphs.
GRAPH_BATCHES = (1, 2, 3, 4, 6, 8, 12, 16)


@dataclass(frozen=True)
class Profile:
    """What one profile exports and serves.

    precision: of the networks, unless the export is given another.
    batch_sizes: the UNet's batch is padded to one of these. On a GPU a padded row costs almost nothing, and a
        call without a CUDA graph costs much; on a CPU each row costs its full time.
    max_live: keyframes processed at once. On a GPU twice the UNet's rows, since as many again are being
        encoded or decoded. On a CPU batching gains little, and jobs that share the cores all end late.
    """

    precision: str
    batch_sizes: tuple[int, ...]
    max_live: int


PROFILES = {"cpu": Profile("fp32", (), 3), "gpu": Profile("fp16", GRAPH_BATCHES, 32)}
