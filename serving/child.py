"""A process of the stack, and its end."""

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
    """Linux: whatever ends the supervisor, SIGKILL too, ends its children."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """A command in a process group of its own, so that a Ctrl-C reaches it only through us."""

    def __init__(self, name: str, log: Path | None = None):
        self.name = name
        self.log = log  # None: its output goes where ours goes
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        output = None
        if self.log:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            output = self.log.open("wb")
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                env=environment,
                stdout=output,
                stderr=output and asyncio.subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        finally:
            if output:
                output.close()

    async def ended(self) -> int:
        """Its exit status, once it has ended; -N where signal N ended it."""
        assert self._process is not None
        return await self._process.wait()

    def children(self) -> set[int]:
        """The processes that it has started itself and that live."""
        assert self._process is not None
        found = set()
        for task in Path(f"/proc/{self._process.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # a thread that ended while we looked
                found |= {int(pid) for pid in task.read_text().split() if _lives(pid)}
        return found

    async def stop(self, patience: float) -> None:
        """Ask it to end; after `patience` seconds end it, with all that it started."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    def last_words(self, lines: int = 12) -> str:
        """The end of its log."""
        if self.log is None:
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _lives(pid: str) -> bool:
    """Not a zombie, which a parent that does not ask keeps in its list."""
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return False
