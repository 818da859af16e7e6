"""One address with many sockets does not take every keyframe slot, through the sockets."""

import asyncio
from contextlib import AsyncExitStack

from websockets.asyncio.client import ClientConnection, connect

from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import Serve
from tests.frontend_proxy.keyframes.messages import answer, keyframe, started


async def sends_for_ever(socket: ClientConnection) -> None:
    number = 0
    while True:
        number += 1
        await socket.send(keyframe(number, seed=number))
        await answer(socket)


async def test_a_shopper_is_answered_by_the_model_while_another_address_floods(
    serve: Serve, server: FakeServer
) -> None:
    server.delay_s = 0.2
    async with (
        serve(workers=True, max_keyframes=2, keyframe_timeout_s=30) as address,
        AsyncExitStack() as stack,
    ):
        url = f"ws://{address}/ws"
        flood = [await stack.enter_async_context(connect(url)) for _ in range(12)]
        shopper = await stack.enter_async_context(connect(url, local_addr=("127.0.0.2", 0)))
        tasks = [asyncio.create_task(sends_for_ever(socket)) for socket in flood]
        try:
            await started(server, 4)
            for number in range(5):
                await shopper.send(keyframe(number, seed=number))
                assert (await answer(shopper))["mode"] == "ai_enhanced"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
