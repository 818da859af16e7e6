"""`python -m serving.choose_runtimes`: measures which runtime is the fastest for each stage here.

`make export` does so at its end, and `make serve` where the export comes from another processor. The figures
go into the manifest, where every stage reads its own choice when it starts. `make doctor` prints them.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serving.command_line import run
from serving.errors import CannotServe
from serving.exported import read_manifest, write_manifest
from serving.stages.figures import Figures
from serving.stages.measured import Measured, measured_here, with_measured
from serving.stages.runtime import Runtime, installed_runtimes

# Not from serving.settings, which reads the proxy's: the image that exports has no proxy.
REPOSITORY = Path(__file__).resolve().parents[1] / "model_repository"
WITHIN_S = 27.0  # and some seconds to import the libraries
# Decoders of Stable Diffusion XL's kind overflow in half precision, and not on every example.
OVERFLOWS = ("vae_decoder", "fp16")


def is_wanted(manifest: Mapping[str, Any]) -> bool:
    """Whether a choice is missing. None is needed where CPU_RUNTIME decides by hand.

    Raises CannotServe for a CPU_RUNTIME that is none.
    """
    if manifest.get("profile") != "cpu" or measured_here(manifest) is not None:
        return False
    # pydantic's settings: 0.2 s that most starts do without
    from serving.cpu_settings import read_cpu_runtime

    return read_cpu_runtime() == "auto"


def choose_runtimes(repository: Path, within_s: float = WITHIN_S) -> None:
    """Measure every stage, and write the figures into the manifest. Raises OSError if that is read-only."""
    stages = read_manifest(repository)["stages"]
    measured = measure(repository, stages, installed_runtimes(), within_s)
    # Read again: another process may have written meanwhile.
    write_manifest(repository, with_measured(read_manifest(repository), measured))


def measure(
    repository: Path, stages: Mapping[str, Mapping[str, Any]], runtimes: Sequence[Runtime], within_s: float
) -> Measured:
    """The small stages first, each with an equal share of the time that is left: most of them need less."""
    from serving.stages.timing import time_stage  # NumPy, which `is_wanted` does without

    models = {name: repository / name / "1" / "model.onnx" for name in stages}
    sizes = {
        name: sum(it.stat().st_size for it in path.parent.glob("model.onnx*"))
        for name, path in models.items()
    }
    end = time.perf_counter() + within_s
    found: dict[str, Mapping[Runtime, Figures]] = {}
    for number, name in enumerate(sorted(stages, key=lambda it: sizes[it])):
        now = time.perf_counter()
        until = now + (end - now) / (len(stages) - number)
        able = [it for it in runtimes if (name, it.precision) != OVERFLOWS]
        found[name] = time_stage(models[name], stages[name]["buckets"][0], able, until)
    return Measured(datetime.now(UTC).isoformat(timespec="seconds"), {name: found[name] for name in stages})


def choose_in_a_process(repository: Path) -> None:
    """The same in a process of its own, whose memory is free afterwards. It says itself what fails."""
    print(f"Measuring the runtimes on this processor: at most {WITHIN_S:.0f} s, once", flush=True)
    command = [sys.executable, "-m", "serving.choose_runtimes", f"--repository={repository}"]
    # In a session of its own, since Ctrl-C would end both, each with a line.
    subprocess.run(command, check=False, start_new_session=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m serving.choose_runtimes", description=__doc__)
    parser.add_argument("--repository", type=Path, default=REPOSITORY, help="default: %(default)s")
    repository = parser.parse_args(argv).repository
    try:
        choose_runtimes(repository)
    except (CannotServe, OSError, RuntimeError) as error:
        print(f"The runtimes were not measured, so the processor's kind decides: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run("choose_runtimes", main))
