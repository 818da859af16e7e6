"""Triton and the proxy before it, from start to end."""

import asyncio
import os
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path

from frontend_proxy.settings import Settings
from frontend_proxy.triton.state import write_state
from serving.child import Child
from serving.errors import CannotServe
from serving.triton_server import MODELS, TritonServer

_BACKOFF = (1, 2, 4, 8, 16, 30)  # seconds before a Triton that died is started again
_STABLE = 60  # seconds after which an earlier death is forgiven


class Stack:
    """Triton and the proxy before it.

    The proxy starts at once and says 503 until Triton is there. Triton is started again when it dies;
    the proxy's death ends the stack.
    """

    def __init__(self, triton: TritonServer, settings: Settings, logs: Path):
        self._server = triton
        self._settings = settings
        self._state_file = triton.build / "triton.state"
        self._triton = Child("Triton", logs / "triton.log")
        self._proxy = Child("the proxy")

    async def run(self) -> None:
        """Serve until cancelled. Raises CannotServe where the stack cannot start or go on."""
        self._check_ports()
        command = self._server.command()
        try:
            await self._start_triton(command)
            await self._proxy.start([sys.executable, "-m", "frontend_proxy"], self._proxy_environment())
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch_proxy())
                tasks.create_task(self._keep_triton(command))
        except* CannotServe as group:
            raise group.exceptions[0] from None
        finally:
            await self._proxy.stop(self._settings.shutdown_delay_s + self._settings.shutdown_timeout_s + 2)
            await self._triton.stop(patience=10)
            self._server.remove_shared_memory()

    async def _start_triton(self, command: list[str]) -> None:
        self._server.remove_shared_memory()
        write_state(self._state_file, "loading")
        await self._triton.start(command, self._server.environment())

    async def _keep_triton(self, command: list[str]) -> None:
        _say(f"Starting Triton ({self._server.profile} profile) on {self._server.repository}")
        if not await self._until_ready(announce=True):
            raise CannotServe(
                f"Triton ended with status {await self._triton.ended()} before it was ready; the end of "
                f"{self._triton.log}:\n{self._triton.last_words()}"
            )
        host = "localhost" if self._settings.host in ("0.0.0.0", "::") else self._settings.host
        base = f"{host}:{self._settings.port}"
        _say(f"Ready: http://{base}  ws://{base}/ws  (Ctrl-C ends it)")
        attempt = 0
        while True:
            began = asyncio.get_running_loop().time()
            why = await self._triton_broken()
            if asyncio.get_running_loop().time() - began > _STABLE:
                attempt = 0
            write_state(self._state_file, "away")
            pause = _BACKOFF[min(attempt, len(_BACKOFF) - 1)]
            _say(f"{why} (log: {self._triton.log}); starting Triton again in {pause} s")
            await self._triton.stop(patience=0)  # what is left of its process group
            await asyncio.sleep(pause)
            attempt += 1
            await self._start_triton(command)
            await self._until_ready(announce=False)

    async def _triton_broken(self) -> str:
        """Waits until Triton has died, or a model's process: Triton goes on calling that model ready."""
        models = self._triton.children()
        ended = asyncio.create_task(self._triton.ended())
        while True:
            await asyncio.wait({ended}, timeout=1)
            if ended.done():
                return f"Triton died with status {ended.result()}"
            if not models <= self._triton.children():
                ended.cancel()
                return "The process of one of Triton's models died"

    async def _watch_proxy(self) -> None:
        status = await self._proxy.ended()
        raise CannotServe(f"the proxy ended with status {status}; its last lines above say why")

    async def _until_ready(self, announce: bool) -> bool:
        """Waits for every model, and for the proxy, whose channel looks for Triton about once a second.

        Says a line for each if wanted. False where Triton ended before.
        """
        triton = f"http://127.0.0.1:{self._server.http_port}"
        host = "127.0.0.1" if self._settings.host in ("0.0.0.0", "::") else self._settings.host
        waiting = {model: f"{triton}/v2/models/{model}/ready" for model in MODELS}
        waiting["proxy"] = f"http://{host}:{self._settings.port}/health/ready"
        ended = asyncio.create_task(self._triton.ended())
        while waiting and not ended.done():
            for name, url in list(waiting.items()):
                if await asyncio.to_thread(_answers, url):
                    del waiting[name]
                    if announce:
                        _say(f"  {name:<14}ready")
            await asyncio.wait({ended}, timeout=0.2)
        ended.cancel()
        if not waiting:
            write_state(self._state_file, "ready")
        return not waiting

    def _check_ports(self) -> None:
        ports = {
            "PORT": (self._settings.host, self._settings.port),
            "TRITON_GRPC_PORT": ("127.0.0.1", self._server.grpc_port),
            "TRITON_HTTP_PORT": ("127.0.0.1", self._server.http_port),
            "TRITON_METRICS_PORT": ("127.0.0.1", self._server.metrics_port),
        }
        for setting, address in ports.items():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(address)
                except OSError as error:
                    raise CannotServe(
                        f"port {address[1]} is taken ({error.strerror}): end what listens there, or set "
                        f"{setting} to another"
                    ) from error

    def _proxy_environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "TRITON_URLS": f"127.0.0.1:{self._server.grpc_port}",
            "TRITON_STATE_FILE": str(self._state_file),
        }


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _say(line: str) -> None:
    print(line, flush=True)
