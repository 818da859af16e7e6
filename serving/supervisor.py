"""Starts, watches and ends Triton and the proxy in front of it."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from pathlib import Path

from frontend_proxy.triton.state import write_state
from serving.child import Child, earlier
from serving.errors import CannotServe
from serving.exported import Exported
from serving.ports import port_faults
from serving.probes import http_ready, is_open
from serving.settings import ServingSettings
from serving.triton_log import first_cause, loaded_models
from serving.triton_server import LOOPBACK, TritonServer

_BACKOFF_S = (1, 2, 4, 8, 16, 30)  # before Triton is started again
_ASK_EVERY_S = 0.1  # while Triton starts
_STABLE_S = 60  # Triton that ran for so long starts the backoff anew
_NETWORKS = re.compile(r"the networks run inside tryon: ([^\"\n]*)")  # serving/entry_models.py
_PRIVATE = 0o077  # umask: only this user reads what Triton writes


class Stack:
    """Triton and the proxy.

    The proxy starts when Triton has loaded its first model, and answers 503 until Triton is ready. Triton is
    started again if it ends or if a process of one of its models dies. The end of the proxy ends the stack.
    """

    def __init__(self, triton: TritonServer, settings: ServingSettings, exported: Exported, logs: Path):
        self._server = triton
        self._exported = exported
        self._settings = settings
        self._state_file = triton.build / "triton.state"
        self._log = logs / "triton.log"
        self._triton = Child("Triton", self._log, umask=_PRIVATE)
        self._proxy = Child("the proxy")

    async def run(self) -> None:
        """Serve until cancelled. Raises CannotServe if the stack cannot start or cannot go on."""
        self._check_ports()
        write_state(self._state_file, "loading")
        try:
            command = self._server.command()
            await self._start_triton(command)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._run_proxy())
                tasks.create_task(self._keep_triton_running(command))
        except* CannotServe as group:
            raise group.exceptions[0] from None
        finally:
            await self._proxy.stop(self._settings.shutdown_delay_s + self._settings.shutdown_timeout_s + 2)
            await self._triton.stop(grace_s=10)
            self._server.remove_shared_memory()

    async def _start_triton(self, command: list[str]) -> None:
        self._server.remove_shared_memory()
        write_state(self._state_file, "loading")
        await self._triton.start(command, self._server.environment())

    async def _keep_triton_running(self, command: list[str]) -> None:
        exported = self._exported
        say(f"Serving {exported}, exported from {exported.source} at {exported.exported_at}")
        say(f"Starting Triton on {self._server.repository}")
        if not await self._wait_until_ready(announce=True):
            raise CannotServe(await self._why_triton_did_not_start())
        if placement := _NETWORKS.search(self._triton.log_text()):
            say(f"The networks run inside tryon: {placement[1]}")
        base = self._settings.base_url
        say(f"Ready: {base}  {base.replace('http', 'ws', 1)}/ws  (Ctrl-C ends it)")
        attempt = 0
        while True:
            began = asyncio.get_running_loop().time()
            why = await self._wait_until_broken()
            if asyncio.get_running_loop().time() - began > _STABLE_S:
                attempt = 0
            write_state(self._state_file, "away")
            pause = _BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)]
            say(f"{why}; starting Triton again in {pause} s, and then its log is {earlier(self._log)}")
            await self._triton.stop(grace_s=0)  # the rest of its process group
            await asyncio.sleep(pause)
            attempt += 1
            await self._start_triton(command)
            await self._wait_until_ready(announce=False)

    async def _why_triton_did_not_start(self) -> str:
        status = await self._triton.wait()
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        cause = first_cause(self._triton.log_text()) or f"it ended with {how} without an error in its log"
        return f"Triton did not start: {cause} (log: {self._log})"

    async def _wait_until_broken(self) -> str:
        """Waits until Triton or a model's process has ended, since Triton still reports that model as ready.

        Returns what happened.
        """
        # One that died while the others loaded is missing from the first look on.
        expected = await asyncio.to_thread(self._server.processes)
        models = self._triton.children()
        ended = asyncio.create_task(self._triton.wait())
        while True:
            await asyncio.wait({ended}, timeout=1)
            if ended.done():
                return f"Triton ended with status {ended.result()}"
            if len(models) < expected or not models <= self._triton.children():
                ended.cancel()
                return "The process of one of Triton's models died"
            self._server.protect_shared_memory()

    async def _run_proxy(self) -> None:
        """Start the proxy and watch it. Raises CannotServe when it ends.

        Its imports wait for the first model, a light one: `tryon`, which takes longest and computes on one
        core, gets more of the cores until then, and leaves one to the proxy when the other models are done.
        """
        while not (loaded_models(self._triton.log_text()) or await self._is_triton_open()):
            await asyncio.sleep(_ASK_EVERY_S)
        await self._proxy.start([sys.executable, "-m", "frontend_proxy"], self._proxy_environment())
        status = await self._proxy.wait()
        raise CannotServe(f"the proxy ended with status {status}; its last lines above say why")

    async def _wait_until_ready(self, announce: bool) -> bool:
        """Waits for every model and for the proxy, which asks Triton itself some times a second.

        Prints a line for each if `announce`. Returns False if Triton ended before.
        """
        waiting = [*self._server.served(), "proxy"]
        ended = asyncio.create_task(self._triton.wait())
        while waiting and not ended.done():
            self._server.protect_shared_memory()
            for name in await self._newly_ready(waiting):
                waiting.remove(name)
                if announce:
                    say(f"  {name:<13} ready")
            if waiting:
                await asyncio.wait({ended}, timeout=_ASK_EVERY_S)
        ended.cancel()
        if not waiting:
            write_state(self._state_file, "ready")
        return not waiting

    async def _newly_ready(self, waiting: list[str]) -> list[str]:
        """Triton opens its port when all models are loaded; which of them are loaded before, its log says."""
        if not await self._is_triton_open():
            return [name for name in loaded_models(self._triton.log_text()) if name in waiting]
        return [name for name in waiting if name != "proxy" or await self._proxy_ready()]

    async def _is_triton_open(self) -> bool:
        return await asyncio.to_thread(is_open, LOOPBACK, self._server.grpc_port)

    async def _proxy_ready(self) -> bool:
        settings = self._settings
        return await asyncio.to_thread(http_ready, settings.proxy_addresses, settings.port, "/health/ready")

    def _check_ports(self) -> None:
        for fault in port_faults(self._settings).values():
            raise CannotServe(f"port {fault}")

    def _proxy_environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "TRITON_URLS": self._server.grpc_address,
            "TRITON_STATE_FILE": str(self._state_file),
        }


def say(line: str) -> None:
    """Print a line. Where nobody reads any more (`make serve | head -1`), the server goes on."""
    with contextlib.suppress(BrokenPipeError):
        print(line, flush=True)
