"""`python -m serving`, which `make serve` runs: Triton and the proxy on this machine."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from serving import doctor
from serving.choose_runtimes import choose_in_a_process, is_wanted
from serving.command_line import INTERRUPTED, run
from serving.embedded_triton import embedded_triton
from serving.errors import CannotServe
from serving.exported import Exported, read_exported, read_manifest
from serving.paths import path_fault
from serving.settings import ROOT, ServingSettings, load_settings
from serving.supervisor import Stack, say
from serving.triton_server import TritonServer


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    if args.examine and (status := doctor.main([f"--repository={args.repository}"])):
        return status
    try:
        settings = load_settings(
            triton_grpc_port=args.triton_grpc_port,
            triton_http_port=args.triton_http_port,
            triton_metrics_port=args.triton_metrics_port,
        )
        repository, build = args.repository.resolve(), args.build.resolve()
        for path in (repository, build):
            if fault := path_fault(path):
                raise CannotServe(fault)
        exported = read_exported(repository)
        triton = _triton(settings, args.profile or exported.profile, repository, build)
        _check(triton, exported)
        if is_wanted(read_manifest(repository)):
            choose_in_a_process(repository)
        stopped_by = asyncio.run(_serve(Stack(triton, settings, exported, build / "logs")))
    except CannotServe as error:
        print(f"serve: {error}", file=sys.stderr)
        return 1
    return INTERRUPTED if stopped_by == signal.SIGINT else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving",
        description="Serve the exported model: Triton on the loopback interface and the proxy in front "
        "of it. Settings come from the environment or .env.",
    )
    parser.add_argument("--profile", choices=["cpu", "gpu"], help="default: that of the export")
    parser.add_argument(
        "--repository",
        type=Path,
        default=ROOT / "model_repository",
        help="the model repository (default: %(default)s)",
    )
    parser.add_argument(
        "--build", type=Path, default=ROOT / "build", help="folder for logs and assembled files"
    )
    parser.add_argument(
        "--examine",
        action="store_true",
        help="first report what would keep this machine from serving, as `python -m serving.doctor` does",
    )
    for name in ("grpc", "http", "metrics"):
        variable = f"TRITON_{name.upper()}_PORT"
        parser.add_argument(f"--triton-{name}-port", type=int, help=f"default: the setting {variable}")
    return parser


def _triton(settings: ServingSettings, profile: str, repository: Path, build: Path) -> TritonServer:
    traces = None
    if collector := settings.otel_exporter_otlp_endpoint:
        from frontend_proxy.tracing import traces_url  # OpenTelemetry, 10 MB

        traces = traces_url(collector)
    return TritonServer(
        repository=repository,
        profile=profile,
        grpc_port=settings.triton_grpc_port,
        http_port=settings.triton_http_port,
        metrics_port=settings.triton_metrics_port,
        build=build,
        cpu_runtime=settings.cpu_runtime,
        gpu=settings,
        traces_url=traces,
    )


async def _serve(stack: Stack) -> signal.Signals:
    """Run the stack until Ctrl-C or SIGTERM; returns which of them it was."""
    running = asyncio.create_task(stack.run())
    stopped_by: list[signal.Signals] = []

    def stop(by: signal.Signals) -> None:
        if not stopped_by:  # a second Ctrl-C would interrupt the end
            running.cancel()
        stopped_by.append(by)

    loop = asyncio.get_running_loop()
    for by in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(by, stop, by)
    try:
        await running
    except asyncio.CancelledError:
        say("Stopped.")
    return stopped_by[0]


def _check(triton: TritonServer, exported: Exported) -> None:
    """Raises CannotServe if the profile's export is missing, or the embedded Triton cannot serve here."""
    if exported.profile != triton.profile:
        raise CannotServe(
            f"{triton.repository} contains the export of profile {exported.profile}: "
            f"run `make export PROFILE={triton.profile}` first"
        )
    if triton.profile == "cpu" or triton.in_process:
        embedded_triton()


if __name__ == "__main__":
    sys.exit(run("serve", main))
