import pytest

from families.fashn_vton.checkpoint import load
from tests.families.fashn_vton.vectors import CHECKPOINT


@pytest.fixture(scope="session")
def network():
    """The small checkpoint's MMDiT."""
    return load(CHECKPOINT)
