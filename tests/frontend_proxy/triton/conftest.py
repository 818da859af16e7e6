"""A Triton client before a fake Triton."""

from collections.abc import AsyncIterator

import grpc
import pytest
from tritonclient.grpc import service_pb2_grpc

from frontend_proxy.triton.client import Triton
from tests.fakes import FakeTriton


@pytest.fixture
async def fake() -> AsyncIterator[FakeTriton]:
    fake = FakeTriton()
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(fake, server)
    fake.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield fake
    await server.stop(grace=None)


@pytest.fixture
async def triton(fake: FakeTriton) -> AsyncIterator[Triton]:
    triton = Triton(f"127.0.0.1:{fake.port}")
    yield triton
    await triton.close()
