import pytest

from tests import tiny_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """The folder of a tiny checkpoint. Copy it before you change it."""
    return tiny_checkpoint.write(tmp_path_factory.mktemp("tiny"))
