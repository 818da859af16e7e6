"""A script in a process of its own, for what a process imports once."""

import os
import subprocess
import sys
from collections.abc import Mapping


def printed(script: str, environment: Mapping[str, str]) -> list[str]:
    """The words that a Python script prints with that environment beside this process's."""
    command = [sys.executable, "-c", script]
    result = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()
