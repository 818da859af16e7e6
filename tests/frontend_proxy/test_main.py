import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from frontend_proxy.settings import Settings

COMMAND = [sys.executable, "-m", "frontend_proxy"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    names = {name.upper() for name in Settings.model_fields}
    return {name: value for name, value in os.environ.items() if name.upper() not in names}


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, **options)


def test_help_shows_every_setting(environment: dict[str, str], tmp_path: Path) -> None:
    shown = run("--help", env=environment, cwd=tmp_path).stdout
    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')}" in shown


def test_a_wrong_setting_ends_it_with_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    wrong = run(env={**environment, "PORT": "five"}, cwd=tmp_path)
    assert wrong.returncode != 0
    assert wrong.stderr.startswith("port: ")
    assert "Traceback" not in wrong.stderr


def test_it_serves_and_sigterm_ends_all_its_processes(
    environment: dict[str, str], tmp_path: Path, free_port: int
) -> None:
    arguments = ["--host", "127.0.0.1", "--port", str(free_port), "--triton-url", "127.0.0.1:1"]
    proxy = subprocess.Popen([*COMMAND, *arguments], env=environment, cwd=tmp_path, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                health = httpx.get(f"http://127.0.0.1:{free_port}/health").json()
                break
            except httpx.ConnectError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert (health["status"], health["ai_model_loaded"]) == ("degraded", False)
        taken = run(*arguments, env=environment, cwd=tmp_path)
        assert taken.returncode != 0
        assert "address already in use" in taken.stderr
    finally:
        proxy.send_signal(signal.SIGTERM)
        proxy.wait(30)
    deadline = time.monotonic() + 10
    while living(proxy.pid):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def living(group: int) -> list[str]:
    """The processes of a group, without zombies that nobody has reaped yet."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state, _, process_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(process_group) == group and state != "Z":
                found.append(path.parent.name)
    return found
