"""An S3 server for tests: moto, which keeps its objects in the memory of its process."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

from tests.stack import free_ports

# SIGUSR1 closes its port, SIGUSR2 opens it again.
_SERVE = """
import signal, sys
from moto.server import ThreadedMotoServer

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGUSR2})
while True:
    moto = ThreadedMotoServer("127.0.0.1", int(sys.argv[1]))
    moto.start()
    signal.sigwait({signal.SIGUSR1})
    moto._server.shutdown()
    moto._server.server_close()
    signal.sigwait({signal.SIGUSR2})
"""


class Bucket:
    """`environment` has the variables that a client of `url` needs."""

    url = "s3://lucy"

    def __init__(self):
        (port,) = free_ports(1)
        self._command = [sys.executable, "-c", _SERVE, str(port)]
        self.environment = {
            "AWS_ENDPOINT": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_REGION": "us-east-1",
        }

    def start(self):
        """Start it, without objects."""
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + 120
        create = urllib.request.Request(f"{self.environment['AWS_ENDPOINT']}/lucy", method="PUT")
        while True:
            try:
                with urllib.request.urlopen(create, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                assert self._process.poll() is None, "moto's server does not start"
                assert time.monotonic() < deadline, "moto's server does not answer"
                time.sleep(0.05)

    def kill(self):
        self._process.kill()
        self._process.wait()

    def hang(self):
        """Accept connections and answer nothing."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def refuse(self):
        """Refuse connections."""
        os.kill(self._process.pid, signal.SIGUSR1)

    def go_on(self):
        """Answer again after `hang`."""
        os.kill(self._process.pid, signal.SIGCONT)

    def accept(self):
        """Answer again after `refuse`."""
        os.kill(self._process.pid, signal.SIGUSR2)


@contextmanager
def running_bucket():
    bucket = Bucket()
    bucket.start()
    try:
        yield bucket
    finally:
        bucket.kill()
