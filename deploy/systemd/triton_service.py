"""Triton as a service of systemd (Type=notify): reports when the models are loaded, and that they still run.

    python deploy/systemd/triton_service.py --repository model_repository --profile cpu --build build

Triton still reports a Python model as ready when its process has died, and does not restart it. So this
program notifies systemd's watchdog only while every model's process runs; otherwise systemd restarts Triton.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

from serving.child import Child
from serving.errors import CannotServe
from serving.ready import TritonReadiness
from serving.settings import load_settings
from serving.triton_server import TritonServer

EVERY_S = 2.0
EXIT_TIMEOUT_S = 10  # more than Triton's own --exit-timeout-secs


def notify(message: str) -> None:
    """sd_notify(3) without its library; does nothing unless systemd asked for it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect("\0" + address[1:] if address.startswith("@") else address)
            channel.send(message.encode())


async def watch(triton: Child, server: TritonServer) -> None:
    """Until Triton ends: sends READY=1 once, then WATCHDOG=1 while Triton is ready and every process runs."""
    models: set[int] = set()
    expected = server.processes()  # one that died while the others loaded is missing from the first look on
    ended = asyncio.create_task(triton.wait())
    async with TritonReadiness(server.grpc_address) as readiness:
        while not ended.done():
            server.protect_shared_memory()
            if await readiness.server():
                if not models:
                    models = triton.children()
                    notify("READY=1\nSTATUS=The models are loaded")
                if len(models) >= expected and models <= triton.children():
                    notify("WATCHDOG=1")
                else:
                    notify("STATUS=The process of a model died")
            await asyncio.wait({ended}, timeout=EVERY_S)


async def serve(server: TritonServer) -> int:
    """Run Triton; returns its exit status, or 0 after a signal to end it."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    triton = Child("Triton", umask=0o077)
    server.remove_shared_memory()
    await triton.start(server.command(), server.environment())
    watching = asyncio.create_task(watch(triton, server))
    ending = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({watching, ending}, return_when=asyncio.FIRST_COMPLETED)
        return 0 if stopped.is_set() else await triton.wait()
    finally:
        notify("STOPPING=1")
        watching.cancel()
        ending.cancel()
        await triton.stop(grace_s=EXIT_TIMEOUT_S)
        server.remove_shared_memory()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repository", type=Path, required=True, help="the exported model repository")
    parser.add_argument("--profile", choices=["cpu", "gpu"], required=True)
    parser.add_argument("--build", type=Path, required=True, help="a folder for assembled files")
    for name in ("grpc", "http", "metrics"):
        parser.add_argument(f"--{name}-port", type=int, help=f"default: TRITON_{name.upper()}_PORT")
    args = parser.parse_args()
    try:
        settings = load_settings(
            triton_grpc_port=args.grpc_port,
            triton_http_port=args.http_port,
            triton_metrics_port=args.metrics_port,
        )
        server = TritonServer(
            repository=args.repository.resolve(),
            profile=args.profile,
            grpc_port=settings.triton_grpc_port,
            http_port=settings.triton_http_port,
            metrics_port=settings.triton_metrics_port,
            build=args.build.resolve(),
            cpu_runtime=settings.cpu_runtime,
            gpu=settings,
        )
        return asyncio.run(serve(server))
    except CannotServe as error:
        print(f"triton_service: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
