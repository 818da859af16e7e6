"""Triton as a service of systemd (Type=notify): says when the models are loaded, and that they live.

    python deploy/systemd/triton_service.py --repository model_repository --profile cpu --build build

Triton goes on calling a Python model ready whose process has died, and does not start it again. So this tells
systemd's watchdog that all is well only while it is; otherwise systemd starts Triton anew.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
import urllib.request
from pathlib import Path

from serving.child import Child
from serving.errors import CannotServe
from serving.triton_server import TritonServer

EVERY_S = 2.0
EXIT_TIMEOUT_S = 10  # more than Triton's own --exit-timeout-secs


def notify(message: str) -> None:
    """sd_notify(3), without its library; nothing where systemd has not asked for it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect("\0" + address[1:] if address.startswith("@") else address)
            channel.send(message.encode())


def ready(http_port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/v2/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


async def watch(triton: Child, http_port: int) -> None:
    """Until Triton ends: READY=1 once, then WATCHDOG=1 while it is ready and no model's process has died."""
    models: set[int] = set()
    ended = asyncio.create_task(triton.ended())
    while not ended.done():
        if await asyncio.to_thread(ready, http_port):
            if not models:
                models = triton.children()
                notify("READY=1\nSTATUS=The models are loaded")
            if models <= triton.children():
                notify("WATCHDOG=1")
            else:
                notify("STATUS=The process of a model died")
        await asyncio.wait({ended}, timeout=EVERY_S)


async def serve(server: TritonServer) -> int:
    """Triton's exit status, or 0 where we were told to end it."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    triton = Child("Triton")
    server.remove_shared_memory()
    await triton.start(server.command(), server.environment())
    watching = asyncio.create_task(watch(triton, server.http_port))
    ending = asyncio.create_task(told.wait())
    try:
        await asyncio.wait({watching, ending}, return_when=asyncio.FIRST_COMPLETED)
        return 0 if told.is_set() else await triton.ended()
    finally:
        notify("STOPPING=1")
        watching.cancel()
        ending.cancel()
        await triton.stop(EXIT_TIMEOUT_S)
        server.remove_shared_memory()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repository", type=Path, required=True, help="the exported model repository")
    parser.add_argument("--profile", choices=["cpu", "gpu"], required=True)
    parser.add_argument("--build", type=Path, required=True, help="a folder for what is assembled")
    for name, port in (("grpc", 8001), ("http", 8000), ("metrics", 8002)):
        parser.add_argument(f"--{name}-port", type=int, default=port, help="default: %(default)s")
    args = parser.parse_args()
    server = TritonServer(
        repository=args.repository.resolve(),
        profile=args.profile,
        grpc_port=args.grpc_port,
        http_port=args.http_port,
        metrics_port=args.metrics_port,
        build=args.build.resolve(),
    )
    try:
        return asyncio.run(serve(server))
    except CannotServe as error:
        print(f"triton_service: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
