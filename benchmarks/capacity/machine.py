"""What is simulated: a machine's stages with their times, and its serving configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from export.profiles import PROFILES
from serving.model_config import read_model_config

REPOSITORY = Path(__file__).resolve().parents[2] / "model_repository"


@dataclass(frozen=True)
class Stage:
    """The cost of one execution, by its number of rows.

    times: seconds on an otherwise idle machine.
    busy: processor seconds, more than `times` if it uses several cores; None: it runs on the GPU.
    spread: measured ratios of single executions to their mean; the simulation draws one of them at random.
    """

    times: Mapping[int, float]
    busy: Mapping[int, float] | None
    spread: Sequence[float] = (1.0,)

    def seconds(self, rows: int) -> float:
        return _between(self.times, rows)

    def cores(self, rows: int) -> float:
        """The mean number of cores that it uses; 0 on the GPU."""
        return _between(self.busy, rows) / self.seconds(rows) if self.busy else 0.0


def _between(known: Mapping[int, float], rows: int) -> float:
    """Linear interpolation, extrapolated from the last two points; in proportion to one known point."""
    sizes = sorted(known)
    if rows in known or len(sizes) == 1:
        return known.get(rows, known[sizes[0]] * rows / sizes[0])
    above = next((size for size in sizes if size > rows), sizes[-1])
    below = sizes[max(0, sizes.index(above) - 1)]
    slope = (known[above] - known[below]) / (above - below)
    return known[below] + slope * (rows - below)


@dataclass(frozen=True)
class Machine:
    """One server machine.

    stages: preprocess, vae_encoder, unet, vae_decoder, postprocess.
    overhead: seconds per job outside all stages, on one core.
    wakes: measured extra seconds of a job on an idle machine, one of which is drawn at random. Idle cores,
        virtual ones above all, wake up late at each of the job's hops between processes, and caches are cold.
    batch_sizes: sizes to which the UNet's rows are padded; empty if every row costs its full time.
    profile: the profile of the model repository's configurations.
    """

    name: str
    cores: int
    stages: Mapping[str, Stage]
    overhead: float = 0.0
    wakes: Sequence[float] = (0.0,)
    batch_sizes: Sequence[int] = ()
    profile: str = "cpu"


@dataclass(frozen=True)
class Recipe:
    """The UNet work of one job. live: True for a keyframe."""

    live: bool
    steps: int
    rows: int = 1


@dataclass(frozen=True)
class Configuration:
    """The limits of the configurations and the profile. max_batch: of the models that Triton batches."""

    max_rows: int
    capture_interval: int
    max_live: int
    max_encoding: int
    instances: Mapping[str, int]
    max_batch: Mapping[str, int]

    @classmethod
    def read(cls, profile: str) -> "Configuration":
        configs = {
            model: read_model_config(REPOSITORY / model, profile)
            for model in ("tryon", "preprocess", "postprocess", "vae_encoder", "vae_decoder")
        }

        def parameter(name: str) -> int:
            return int(configs["tryon"].parameters[name].string_value)

        return cls(
            parameter("max_rows"),
            parameter("capture_interval"),
            PROFILES[profile].max_live,
            parameter("max_encoding"),
            {model: configs[model].instance_group[0].count for model in ("preprocess", "postprocess")},
            {
                model: configs[model].max_batch_size
                for model in ("vae_encoder", "vae_decoder")
                if configs[model].HasField("dynamic_batching")
            },
        )
