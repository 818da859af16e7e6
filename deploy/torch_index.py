"""`python -m deploy.torch_index`, a part of `make setup`: pip's option for the torch that this machine needs.

PyPI's torch for Linux requires CUDA's libraries, 3 GB that only a GPU uses. Without an NVIDIA GPU the option
adds the index of torch's builds for the processor, which pip prefers: 2.13.0+cpu is newer than 2.13.0 (PEP
440, local version identifiers). `TORCH_INDEX` names another index; empty, pip looks in its own alone.
"""

import os
import sys
from urllib.request import urlopen

from serving.gpu import query_gpus

CPU_BUILDS = "https://download.pytorch.org/whl/cpu"
WITHIN_S = 10  # pip itself would try again and again, for minutes


def pip_option() -> str:
    """`--extra-index-url …`; nothing with a GPU, and where the index does not answer, which stderr says."""
    index = os.environ.get("TORCH_INDEX")
    if index is None:
        index = "" if query_gpus() else CPU_BUILDS
    if not index:
        return ""
    try:
        with urlopen(f"{index.rstrip('/')}/torch/", timeout=WITHIN_S):
            return f"--extra-index-url {index}"
    except (OSError, ValueError) as error:
        print(
            f"{index} cannot be reached ({error}): pip takes torch from its own index. PyPI's has CUDA's "
            "libraries, 3 GB more.",
            file=sys.stderr,
        )
        return ""


if __name__ == "__main__":
    print(pip_option())
