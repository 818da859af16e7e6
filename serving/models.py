"""Which models of the repository Triton loads: those of the exported checkpoint.

The repository has a folder for every stage that some family needs. Without its network, which only an export
of that family writes, a stage does not load, and Triton would not start.

    python -m serving.models /models --profile gpu      # Triton's options, one a line
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from serving.errors import CannotServe
from serving.exported import read_stages
from serving.placement import IN_PROCESS

ENTRY = "tryon"
_ALWAYS = ("preprocess", "postprocess")
ENSEMBLES = ("encode", "decode")
_STEP = re.compile(r'^[^#"]*\bmodel_name\s*:\s*"([^"]+)"', re.MULTILINE)


def served_models(repository: Path, *, in_process: bool = False) -> list[str]:
    """Their names, the entry last. Raises CannotServe without an export or with an unreadable configuration.

    in_process: whether the networks run inside the entry, and are no models of Triton.
    """
    loaded = [*([] if in_process else read_stages(repository)), *_ALWAYS]
    # An ensemble is of use to checkpoints that have all of its steps.
    ensembles = [name for name in ENSEMBLES if _has_its_steps(repository / name, loaded)]
    return [*loaded, *ensembles, ENTRY]


def options(models: Sequence[str]) -> list[str]:
    """Triton's options that load these models and no others."""
    return ["--model-control-mode=explicit", *(f"--load-model={name}" for name in models)]


def python_processes(repository: Path, models: Sequence[str], profile: str) -> int:
    """How many processes of Python models Triton starts for them."""
    from serving.model_config import read_model_config

    configs = [read_model_config(repository / name, profile) for name in models]
    return sum(
        group.count for config in configs if config.backend == "python" for group in config.instance_group
    )


def _has_its_steps(ensemble: Path, models: Sequence[str]) -> bool:
    try:
        text = (ensemble / "config.pbtxt").read_text()
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise CannotServe(f"{ensemble / 'config.pbtxt'} cannot be read ({error})") from error
    # Not parsed: a start waits for this, and gRPC's messages take 0.3 s to import. Triton reports its errors.
    return set(_STEP.findall(text)) <= set(models)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m serving.models", description=__doc__.split("\n")[0])
    parser.add_argument("repository", type=Path)
    parser.add_argument("--profile", default="gpu", help="the value of --model-config-name")
    parser.add_argument(
        "--count-file", type=Path, help="write the number of Python models' processes here, for a probe"
    )
    args = parser.parse_args(argv)
    try:
        models = served_models(args.repository, in_process=args.profile == IN_PROCESS)
    except CannotServe as error:
        print(f"serve: {error}", file=sys.stderr)
        return 1
    if args.count_file:
        args.count_file.write_text(str(python_processes(args.repository, models, args.profile)))
    print("\n".join(options(models)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
