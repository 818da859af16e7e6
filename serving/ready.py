"""Whether Triton is ready, by gRPC. Nothing here obeys `http_proxy`, which would ask another machine.

python -m serving.ready 8001        # exit status 0 if Triton's gRPC port on this machine is ready
"""

import sys
from types import TracebackType

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

_CHANNEL_OPTIONS = [
    ("grpc.enable_http_proxy", 0),
    # gRPC would wait for up to two minutes before it tries again.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 500),
]
_TIMEOUT_S = 3.0


class TritonReadiness:
    """An open channel to one Triton; use it as a context."""

    def __init__(self, address: str):
        self._channel = grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    async def __aenter__(self) -> "TritonReadiness":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def server(self) -> bool:
        """Whether Triton and all its models are ready."""
        try:
            answer = await self._stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.ready)

    async def model(self, name: str) -> bool:
        try:
            request = service_pb2.ModelReadyRequest(name=name)
            return bool((await self._stub.ModelReady(request, timeout=_TIMEOUT_S)).ready)
        except grpc.aio.AioRpcError:
            return False


async def _triton_ready(address: str) -> bool:
    async with TritonReadiness(address) as triton:
        return await triton.server()


if __name__ == "__main__":
    import asyncio

    sys.exit(not asyncio.run(_triton_ready(f"127.0.0.1:{sys.argv[1]}")))
