import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from frontend_proxy.triton.client import CHANNEL_OPTIONS
from serving.ready import TritonReadiness
from tests.stack import free_ports


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):
    def ServerReady(self, request, context):
        return service_pb2.ServerReadyResponse(ready=True)

    def ModelReady(self, request, context):
        return service_pb2.ModelReadyResponse(ready=request.name == "tryon")


@pytest.fixture
def triton():
    """The port of a gRPC server that is ready."""
    server = grpc.server(ThreadPoolExecutor(2))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(FakeTriton(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


@pytest.fixture(params=["http_proxy", "https_proxy", "HTTPS_PROXY", "grpc_proxy", "ALL_PROXY"])
def dead_proxy(request, monkeypatch):
    """An environment in which everything would go through a proxy that does not answer."""
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(request.param, f"http://127.0.0.1:{free_ports(1)[0]}")


async def test_tritons_readiness_is_asked_without_a_proxy(triton, dead_proxy):
    async with TritonReadiness(f"127.0.0.1:{triton}") as readiness:
        assert await readiness.server()
        assert await readiness.model("tryon")
        assert not await readiness.model("unet")


async def test_the_proxys_own_channel_does_not_obey_http_proxy(triton, dead_proxy):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{triton}", options=CHANNEL_OPTIONS) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        answer = await stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=5)
    assert answer.ready


async def test_a_triton_that_is_not_there_is_not_ready():
    async with TritonReadiness(f"127.0.0.1:{free_ports(1)[0]}") as readiness:
        assert not await readiness.server()
        assert not await readiness.model("tryon")


def test_the_command_for_container_health_checks(triton):
    def status(port):
        return subprocess.run([sys.executable, "-m", "serving.ready", str(port)], timeout=60).returncode

    assert status(triton) == 0
    assert status(free_ports(1)[0]) == 1
