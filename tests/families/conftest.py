import pytest

from tests.tryon_client import Tryon


@pytest.fixture
async def tryon(served):
    """A client of the Triton that the folder's `served`, (manifest, stack), has started."""
    async with Tryon.connect(served[1].triton_grpc) as client:
        yield client
