"""A process of the stack: its start, its log and its end."""

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    """Linux: the kernel ends this process when its parent ends, also after a SIGKILL of the parent."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """A command in its own process group, so that Ctrl-C reaches it only through the supervisor.

    log: None: its output goes where the supervisor's goes. Each start begins a new one, and keeps the one
        before as `earlier(log)`, since it may say why the process ended.
    umask: of the files that it creates; None: the supervisor's.
    """

    def __init__(self, name: str, log: Path | None = None, umask: int | None = None):
        self.name = name
        self.log = log
        self._umask = -1 if umask is None else umask
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        output = None
        if self.log:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                self.log.replace(earlier(self.log))
            output = self.log.open("wb")
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                env=environment,
                stdout=output,
                stderr=output and asyncio.subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
                umask=self._umask,
            )
        finally:
            if output:
                output.close()

    async def wait(self) -> int:
        """Wait for its end; returns the exit status, or -N after signal N."""
        assert self._process is not None
        return await self._process.wait()

    def children(self) -> set[int]:
        """The living processes that it has started itself."""
        assert self._process is not None
        found = set()
        for task in Path(f"/proc/{self._process.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # the thread ended in the meantime
                found |= {int(pid) for pid in task.read_text().split() if _is_alive(pid)}
        return found

    async def stop(self, grace_s: float) -> None:
        """Ask it to end; after `grace_s` seconds kill it. Its process group is killed in any case."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), grace_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    def log_text(self) -> str:
        """Its log since its last start, as far as it is written."""
        return self.log.read_text(errors="replace") if self.log else ""


def earlier(log: Path) -> Path:
    """Where the log of the start before is kept."""
    return log.with_name(f"{log.name}.1")


def _is_alive(pid: str) -> bool:
    """False for a zombie, which stays in the list until its parent waits for it."""
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return False
