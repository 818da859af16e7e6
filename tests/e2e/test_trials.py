"""What people do in their first hour works on the real server."""

import pytest

from tests.trials import cloth, pictures, poses, wire  # noqa: F401  (they register their trials)
from tests.trials.client import Server
from tests.trials.registry import TRIALS


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
async def test_trial(stack, trial):
    async with Server(stack.url) as server:
        await trial.run(server)
