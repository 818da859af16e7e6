"""The browser that benchmarks look through."""

import shutil
import sys

from tests.studio.conftest import NAMES


def chromium() -> str:
    """Its program. Ends the command with a sentence where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or sys.exit("There is no Chromium on the PATH; `apt install chromium` brings one.")
