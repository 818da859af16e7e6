"""`models.py` is what the server's description says."""

from pathlib import Path

import lucy_client.models
from frontend_proxy.pages.openapi import document
from lucy_client.generate import models


def test_the_models_are_those_of_this_server() -> None:
    """If it fails: see the first lines of `lucy_client/generate.py`."""
    assert Path(lucy_client.models.__file__).read_text() == models(document(False, 50))
