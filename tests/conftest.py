"""One stack for all tests that need a real one: tests/e2e and tests/studio."""

import pytest

from tests.stack import running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        running.wait_until(lambda health: health["ai_model_loaded"])
        yield running
