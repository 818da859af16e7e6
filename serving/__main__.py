"""`python -m serving`: what `make serve` runs."""

import argparse
import asyncio
import json
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path

from frontend_proxy.settings import Settings
from frontend_proxy.tracing import traces_url
from serving.errors import CannotServe
from serving.supervisor import Stack
from serving.triton_server import TritonServer

ROOT = Path(__file__).resolve().parent.parent


async def _serve(stack: Stack) -> None:
    """Run the stack until Ctrl-C or SIGTERM."""
    running = asyncio.create_task(stack.run())
    loop = asyncio.get_running_loop()
    for stop in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(stop, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        print("Stopped.", flush=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m serving",
        description="Serve the exported model: Triton on loopback and the proxy before it. "
        "The proxy's settings come from the environment or .env.",
    )
    parser.add_argument("--profile", choices=["cpu", "gpu"], default="cpu", help="default: %(default)s")
    parser.add_argument(
        "--repository",
        type=Path,
        default=ROOT / "model_repository",
        help="the model repository (default: %(default)s)",
    )
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="logs and what is assembled")
    for name, port in (("grpc", 8001), ("http", 8000), ("metrics", 8002)):
        variable = f"TRITON_{name.upper()}_PORT"
        parser.add_argument(
            f"--triton-{name}-port",
            type=int,
            default=int(os.environ.get(variable, port)),
            help=f"default: {port}, or ${variable}",
        )
    args = parser.parse_args(argv)
    settings = Settings()
    collector = settings.otel_exporter_otlp_endpoint
    triton = TritonServer(
        repository=args.repository.resolve(),
        profile=args.profile,
        grpc_port=args.triton_grpc_port,
        http_port=args.triton_http_port,
        metrics_port=args.triton_metrics_port,
        build=args.build.resolve(),
        traces_url=traces_url(collector) if collector else None,
    )
    try:
        _check_ready_to_serve(triton)
        asyncio.run(_serve(Stack(triton, settings, triton.build / "logs")))
    except CannotServe as error:
        print(f"serve: {error}", file=sys.stderr)
        return 1
    return 0


def _check_ready_to_serve(triton: TritonServer) -> None:
    """Raises CannotServe where the export that the profile needs is missing, or NumPy is too new."""
    try:
        exported = json.loads((triton.repository / "manifest.json").read_text())["profile"]
    except FileNotFoundError:
        raise CannotServe("nothing is exported yet: run `make export` first") from None
    if exported != triton.profile:
        raise CannotServe(
            f"{triton.repository} holds the export of profile {exported}: "
            f"run `make export PROFILE={triton.profile}` first"
        )
    if triton.profile == "cpu" and int(version("numpy").split(".")[0]) >= 2:
        raise CannotServe(
            f"NumPy {version('numpy')} is installed, and the embedded Triton needs NumPy 1: its Python "
            "stub hands out empty tensors under NumPy 2, without an error; run `make setup`"
        )


if __name__ == "__main__":
    sys.exit(main())
