"""A Redis server for one test or module."""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest

from tests.stack import free_ports


class RedisServer:
    """With `append_only`, acknowledged writes survive a restart. `options` are those of the command."""

    def __init__(self, folder, append_only=False, options=()):
        binary = shutil.which("redis-server")
        if binary is None:
            pytest.skip("no redis-server here: apt-get install redis-server")
        (self.port,) = free_ports(1)
        self.url = f"redis://127.0.0.1:{self.port}"
        kept = "yes" if append_only else "no"
        self._command = [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder),
                         "--save", "", "--appendonly", kept, *options]  # fmt: skip

    def start(self):
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    probe.sendall(b"PING\r\n")
                    if probe.recv(5) == b"+PONG":
                        return
            except OSError:
                pass
            assert time.monotonic() < deadline, "redis-server does not start"
            time.sleep(0.02)

    def hang(self):
        """Accept connections and answer nothing."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def kill(self):
        self._process.kill()
        self._process.wait()


@contextmanager
def running_redis(folder, append_only=False, options=()):
    redis = RedisServer(folder, append_only, options)
    redis.start()
    try:
        yield redis
    finally:
        redis.kill()
