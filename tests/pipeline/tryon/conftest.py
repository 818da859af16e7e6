import asyncio

import pytest

from pipeline.tryon.request import TryonRequest
from tests.pipeline.tryon.fakes import PICTURES, Client, make_pipeline


@pytest.fixture
def start(tmp_path):
    """Starts a pipeline: returns a function that runs one request through it."""

    def started(models, **config):
        pipeline, recipes = make_pipeline(tmp_path, models, **config)

        def run(mode="keyframe", client=None, pictures=PICTURES, **options):
            request = TryonRequest.read(({"mode": mode} | options).get, recipes)
            return asyncio.wait_for(pipeline.run(request, pictures, client or Client()), 20)

        return run

    return started
